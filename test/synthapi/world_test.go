// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientfeatures "k8s.io/client-go/features"
	clientfeaturestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/headroom-dev/headroom/test/synthapi/fleet"
)

func start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func clientOf(t testing.TB, s *Server, protobuf bool) kubernetes.Interface {
	t.Helper()
	config := s.RESTConfig()
	if protobuf {
		config.ContentType, config.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// streaming switches streaming lists on or off for a test.
func streaming(t *testing.T, on bool) {
	t.Helper()
	clientfeaturestesting.SetFeatureDuringTest(t, clientfeatures.WatchListClient, on)
}

// watched are the stores of two running informers.
type watched struct{ nodes, pods cache.SharedIndexInformer }

// follow runs informers until the test ends, or ctx does, and waits for their first lists.
func follow(t testing.TB, client kubernetes.Interface) watched {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	factory := informers.NewSharedInformerFactory(client, 0)
	w := watched{factory.Core().V1().Nodes().Informer(), factory.Core().V1().Pods().Informer()}
	factory.StartWithContext(ctx)
	t.Cleanup(func() {
		cancel()
		factory.Shutdown()
	})
	if !cache.WaitForCacheSync(t.Context().Done(), w.nodes.HasSynced, w.pods.HasSynced) {
		t.Fatal("the informers don't sync")
	}
	return w
}

// state is all objects of the two resources, by key.
type state struct {
	Nodes map[string]*corev1.Node
	Pods  map[string]*corev1.Pod
}

func (w watched) state() state {
	s := state{map[string]*corev1.Node{}, map[string]*corev1.Pod{}}
	for _, o := range w.nodes.GetStore().List() {
		s.Nodes[o.(*corev1.Node).Name] = o.(*corev1.Node)
	}
	for _, o := range w.pods.GetStore().List() {
		p := o.(*corev1.Pod)
		s.Pods[keyOf(p.Namespace, p.Name)] = p
	}
	return s
}

// listed is what a LIST returns.
func listed(t testing.TB, client kubernetes.Interface) state {
	t.Helper()
	s := state{map[string]*corev1.Node{}, map[string]*corev1.Pod{}}
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range nodes.Items {
		s.Nodes[nodes.Items[i].Name] = &nodes.Items[i]
	}
	pods, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range pods.Items {
		s.Pods[keyOf(pods.Items[i].Namespace, pods.Items[i].Name)] = &pods.Items[i]
	}
	return s
}

// versions are what differs where anything does.
func (s state) versions() map[string]string {
	all := map[string]string{}
	for key, n := range s.Nodes {
		all[key] = n.ResourceVersion
	}
	for key, p := range s.Pods {
		all[key] = p.ResourceVersion
	}
	return all
}

// awaitEqual waits until informers hold what a LIST returns, and compares the objects then.
func awaitEqual(t testing.TB, w watched, client kubernetes.Interface) {
	t.Helper()
	want := listed(t, client)
	deadline := time.Now().Add(time.Minute)
	for !cmp.Equal(want.versions(), w.state().versions()) {
		if time.Now().After(deadline) {
			t.Fatalf("the informers don't come to hold what is listed (-list +informers):\n%s", cmp.Diff(want.versions(), w.state().versions()))
		}
		time.Sleep(20 * time.Millisecond)
	}
	got := w.state()
	for key, p := range want.Pods {
		p.TypeMeta = got.Pods[key].TypeMeta // JSON lists leave it out
		if diff := cmp.Diff(p, got.Pods[key]); diff != "" {
			t.Fatalf("pod %s (-list +informer):\n%s", key, diff)
		}
	}
	for key, n := range want.Nodes {
		n.TypeMeta = got.Nodes[key].TypeMeta
		if diff := cmp.Diff(n, got.Nodes[key]); diff != "" {
			t.Fatalf("node %s (-list +informer):\n%s", key, diff)
		}
	}
}

// ways are all in which client-go lists and watches.
func ways(t *testing.T, test func(t *testing.T, protobuf bool)) {
	for _, protobuf := range []bool{true, false} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprintf("protobuf %t streaming %t", protobuf, stream), func(t *testing.T) {
				streaming(t, stream)
				test(t, protobuf)
			})
		}
	}
}

func smallFleet() Options {
	return Options{Fleet: fleet.Options{Nodes: 12, Pods: 400, Templates: 20}}
}
