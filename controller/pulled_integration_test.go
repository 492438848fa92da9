// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// pulledLedger is a real ledger that also writes down what events tell.
type pulledLedger struct {
	*ledger.Ledger
	mu    sync.Mutex
	sizes map[string]int64
}

func newPulledLedger() *pulledLedger {
	l := &pulledLedger{Ledger: ledger.New(), sizes: map[string]int64{}}
	l.SetNode(ledger.Node{Node: placement.Node{Name: "worker", OS: "linux", Architecture: "amd64"}, UID: "worker", Runtime: imagesize.Containerd})
	l.MarkSynced()
	return l
}

func (l *pulledLedger) SetPulled(ref imageref.Ref, _ imagesize.Runtime, _ imagesize.Platform, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sizes[ref.Familiar()] = bytes
}

func (l *pulledLedger) told() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.sizes)
}

func eventsForbidden(t *testing.T, own kubernetes.Interface) {
	var mu sync.Mutex
	var lines []string
	log := funcr.New(func(prefix, args string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, prefix+args)
	}, funcr.Options{})
	sizes := controller.NewPulledSizes(own, newPulledLedger())
	run(t, func(ctx context.Context) error { return sizes.Start(logr.NewContext(ctx, log)) })
	logged := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), lines...)
	}
	eventually(t, "it is logged", func() bool { return len(logged()) > 0 })
	time.Sleep(3 * time.Second) // longer than the wait after another failure
	const want = "cannot list events at cluster scope: ServiceAccount headroom-system/headroom needs list on events"
	if got := logged(); len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("logged %q, want one line that says %s", got, want)
	}
}

func pulledEvents(t *testing.T, admin, own kubernetes.Interface) {
	write := func(name, image string, size int64, change func(*corev1.Event)) {
		e := &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}, Reason: "Pulled", Type: corev1.EventTypeNormal,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: metav1.NamespaceDefault, Name: "p"},
			Source:         corev1.EventSource{Component: "kubelet", Host: "worker"},
			Message:        fmt.Sprintf("Successfully pulled image %q in 1s (2s including waiting). Image size: %d bytes.", image, size),
		}
		change(e)
		if _, err := admin.CoreV1().Events(e.Namespace).Create(t.Context(), e, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	same := func(*corev1.Event) {}
	const before = 1100 // more than two pages
	for i := range before {
		write(fmt.Sprintf("before-%d", i), fmt.Sprintf("before:%d", i), 5, same)
	}
	write("pulling", "pulling:1", 5, func(e *corev1.Event) { e.Reason = "Pulling" })
	l := newPulledLedger()
	sizes := controller.NewPulledSizes(own, l)
	run(t, sizes.Start)
	eventually(t, "those that were there", func() bool { return sizes.Len() == before })
	write("forged", "forged:1", 9, func(e *corev1.Event) { e.Source.Host = "nowhere" })
	write("after", "after:1", 7, same)
	eventually(t, "one that comes later", func() bool { return sizes.Len() == before+1 })
	// The kubelet's recorder changes an event that comes again.
	patch := `{"message":"Successfully pulled image \"after:1\" in 1s (2s including waiting). Image size: 8 bytes.","count":2}`
	if _, err := admin.CoreV1().Events(metav1.NamespaceDefault).Patch(t.Context(), "after", "application/merge-patch+json", []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it changes", func() bool { return l.told()["after:1"] == 8 })
	got := l.told()
	maps.DeleteFunc(got, func(name string, _ int64) bool { return strings.HasPrefix(name, "before:") })
	if diff := cmp.Diff(map[string]int64{"after:1": 8}, got); diff != "" {
		t.Errorf("told by events (-want +got):\n%s", diff)
	}
}
