// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

func TestInformersHoldTheFleet(t *testing.T) {
	ways(t, func(t *testing.T, protobuf bool) {
		s := start(t, smallFleet())
		client := clientOf(t, s, protobuf)
		w := follow(t, client)
		got := w.state()
		if len(got.Nodes) != 12 || len(got.Pods) != 400 {
			t.Errorf("%d nodes and %d pods, want 12 and 400", len(got.Nodes), len(got.Pods))
		}
		awaitEqual(t, w, client)
		churner := s.NewChurner(Churn{PodsInMotion: 20, ListEvery: 3})
		for range 500 {
			churner.PodEvent()
			churner.NodeUpdate()
		}
		awaitEqual(t, w, client)
		if lists := s.Counts().Lists; lists == 0 {
			t.Error("no LIST is counted")
		}
	})
}

func TestStreamingListsAreAsked(t *testing.T) {
	for _, on := range []bool{true, false} {
		streaming(t, on)
		s := start(t, smallFleet())
		follow(t, clientOf(t, s, true))
		if lists := s.Counts().Lists; on == (lists > 0) {
			t.Errorf("with streaming lists %t, there are %d LISTs", on, lists)
		}
	}
}

func TestPagesAreOfOneVersion(t *testing.T) {
	s := start(t, smallFleet())
	client := clientOf(t, s, true)
	churner := s.NewChurner(Churn{PodsInMotion: 50})
	want := listed(t, client)
	pages := 0
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		pages++
		list, err := client.CoreV1().Pods("").List(ctx, o)
		for range 60 {
			churner.PodEvent()
		}
		return list, err
	})
	p.PageSize, p.PageBufferSize, p.FullListIfExpired = 90, 0, false
	seen := map[string]string{}
	if err := p.EachListItem(t.Context(), metav1.ListOptions{}, func(o runtime.Object) error {
		pod := o.(*corev1.Pod)
		seen[keyOf(pod.Namespace, pod.Name)] = pod.ResourceVersion
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if pages != 5 || len(seen) != len(want.Pods) {
		t.Errorf("%d pods on %d pages, want %d on 5", len(seen), pages, len(want.Pods))
	}
	for key, pod := range want.Pods {
		if seen[key] != pod.ResourceVersion {
			t.Errorf("pod %s is listed with version %q, want %s of when the list began", key, seen[key], pod.ResourceVersion)
		}
	}
}

func TestWhatIsForgottenIsGone(t *testing.T) {
	s := start(t, smallFleet())
	client := clientOf(t, s, true)
	first, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if first.RemainingItemCount == nil || *first.RemainingItemCount != 390 {
		t.Errorf("%v items remain, want 390", first.RemainingItemCount)
	}
	churner := s.NewChurner(Churn{PodsInMotion: 5})
	for range 10 {
		churner.PodEvent()
	}
	s.Compact(Pods)
	if _, err = client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{Limit: 10, Continue: first.Continue}); !apierrors.IsResourceExpired(err) {
		t.Errorf("the list is gone on with: %v, want that it is expired", err)
	}
	w, err := client.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if e := <-w.ResultChan(); !apierrors.IsResourceExpired(apierrors.FromObject(e.Object)) {
		t.Errorf("the watch from before says %v, want that it is expired", e)
	}
	// A client would ask again for long.
	response, err := http.Get(s.URL + "/api/v1/pods?resourceVersion=9999999999&resourceVersionMatch=NotOlderThan")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("a version from the future: %s, want a timeout", response.Status)
	}
}

func TestBookmarksComeByThemselves(t *testing.T) {
	o := smallFleet()
	o.BookmarkInterval = 10 * time.Millisecond
	s := start(t, o)
	list, err := clientOf(t, s, true).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	w, err := clientOf(t, s, true).CoreV1().Nodes().Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion, AllowWatchBookmarks: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	s.NewChurner(Churn{}).PodEvent()
	for e := range w.ResultChan() {
		if node, is := e.Object.(*corev1.Node); !is || e.Type != "BOOKMARK" {
			t.Fatalf("got %v, want a bookmark", e)
		} else if node.ResourceVersion > list.ResourceVersion {
			return // that of the pod's event
		}
	}
	t.Error("the watch ended")
}
