// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/test/auditlog"
)

// request is one request to the API server, a dry run: a creation, or the change of an object that is there.
type request struct {
	// resource is "deployments.apps", subresource "scale".
	resource, subresource string
	// create is the object to make, in YAML; otherwise patch is merged into the object name.
	create      string
	name, patch string
	// node is the name of the node whose kubelet asks; empty for an admin.
	node string
}

// answer is what a request led to.
type answer struct {
	// said is "" for nothing, or "warning: ", "refused: " or "error: " with the words.
	said string
	// noted are the audit annotations of Headroom, with the first part of the webhook's name before each key: pods/action.
	noted map[string]string
}

// asker asks the API server, and finds out afterwards what Headroom noted.
type asker struct {
	client dynamic.Interface
	mu     sync.Mutex // guards all
	all    map[string]*question
}

// question is a request that was made.
type question struct {
	mu     sync.Mutex // guards warned
	warned []string
	err    error
}

type askedKey struct{}

type askedValue struct {
	id, node string
	asked    *question
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (*asker) HandleWarningHeaderWithContext(ctx context.Context, _ int, _, text string) {
	if v, is := ctx.Value(askedKey{}).(askedValue); is {
		v.asked.mu.Lock()
		defer v.asked.mu.Unlock()
		v.asked.warned = append(v.asked.warned, text)
	}
}

// namedRequests gives each request a name in the audit log, and who asks.
type namedRequests struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (n namedRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	if v, is := r.Context().Value(askedKey{}).(askedValue); is {
		r = r.Clone(r.Context())
		r.Header.Set("Audit-ID", v.id)
		if v.node != "" {
			r.Header.Set("Impersonate-User", "system:node:"+v.node)
			r.Header.Set("Impersonate-Group", "system:nodes")
		}
	}
	return n.next.RoundTrip(r)
}

func newAsker(t *testing.T) *asker {
	t.Helper()
	config, err := shared.plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	a := &asker{all: map[string]*question{}}
	config.WarningHandlerWithContext = a
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return namedRequests{next} })
	if a.client, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return a
}

// ask makes a request that leaves nothing behind, and returns the name by which answers has what came of it.
func (a *asker) ask(t *testing.T, namespace string, r request) string {
	t.Helper()
	v := askedValue{id: rand.Text(), node: r.node, asked: &question{}}
	ctx := context.WithValue(t.Context(), askedKey{}, v)
	resource, group, _ := strings.Cut(r.resource, ".")
	client := a.client.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}).Namespace(namespace)
	var subresources []string
	if r.subresource != "" {
		subresources = []string{r.subresource}
	}
	if r.create != "" {
		_, v.asked.err = client.Create(ctx, unstructuredOf(t, r.create), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}, subresources...)
	} else {
		how := types.StrategicMergePatchType
		if strings.HasSuffix(group, ".com") {
			how = types.MergePatchType // the API server knows no other for kinds of one's own
		}
		_, v.asked.err = client.Patch(ctx, r.name, how, []byte(r.patch), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, subresources...)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[v.id] = v.asked
	return v.id
}

// answers reads the audit log for all requests so far, and forgets them.
func (a *asker) answers(t *testing.T) map[string]answer {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]answer{}
	for id, asked := range a.all {
		all[id] = answer{said: asked.said(), noted: map[string]string{}}
	}
	// A long response may be read before its entry is written.
	eventually(t, 10*time.Second, "the audit log has all requests", func() bool {
		logged := map[string]bool{}
		for _, event := range auditlog.Read(t, shared.plane.AuditLog) {
			if known, is := all[event.AuditID]; is {
				logged[event.AuditID] = true
				maps.Copy(known.noted, oursOf(event.Annotations))
			}
		}
		return len(logged) == len(all)
	})
	clear(a.all)
	return all
}

// oursOf turns pods.headroom.dev/action into pods/action.
func oursOf(annotations map[string]string) map[string]string {
	ours := map[string]string{}
	for key, value := range annotations {
		if webhook, short, found := strings.Cut(key, ".headroom.dev/"); found {
			ours[webhook+"/"+short] = value
		}
	}
	return ours
}

func (a *question) said() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := make([]string, 0, len(a.warned)+1)
	for _, warning := range a.warned {
		lines = append(lines, "warning: "+warning)
	}
	slices.Sort(lines)
	if a.err != nil {
		text := a.err.Error()
		if _, sentence, ours := strings.Cut(text, `.headroom.dev" denied the request: `); ours && apierrors.IsForbidden(a.err) {
			lines = append(lines, "refused: "+sentence)
		} else {
			lines = append(lines, "error: "+text)
		}
	}
	return strings.Join(lines, "\n")
}

func unstructuredOf(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	return object
}
