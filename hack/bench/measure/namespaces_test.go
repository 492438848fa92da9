// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// The Pod Security webhook answers by its informer: what an informer takes is what counts.
func TestInformerLearnsTheNamespace(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(serveNamespaces))
	defer server.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	factory := informers.NewSharedInformerFactory(client, 0)
	lister := factory.Core().V1().Namespaces().Lister()
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			t.Fatalf("%s: no first list", kind)
		}
	}
	if namespace, err := lister.Get("shop"); err != nil || namespace.Name != "shop" {
		t.Errorf("got %v, %v", namespace, err)
	}
	if err := client.CoreV1().RESTClient().Get().Resource("pods").Do(ctx).Error(); err == nil {
		t.Error("there is more than namespaces")
	}
}
