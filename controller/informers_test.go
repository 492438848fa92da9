// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headroom-dev/headroom/ledger"
)

// journal is a ledger that only writes down what it is told, and a listener.
type journal struct {
	mu    sync.Mutex
	lines []string
	held  []types.UID
}

func (j *journal) add(words ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, strings.Join(words, " "))
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	taken := j.lines
	j.lines = nil
	return taken
}

func (j *journal) KeepNode(n *ledger.Node, _ []ledger.ListedImage) {
	j.add("set node", n.Name, string(n.UID))
}
func (j *journal) ListedImages(string) []ledger.ListedImage { return nil }
func (j *journal) DeleteNode(name string, uid types.UID)    { j.add("delete node", name, string(uid)) }

func (j *journal) SetPod(p ledger.Pod, _ time.Time)     { j.add("set pod", p.Name, string(p.UID)) }
func (j *journal) DeletePod(uid types.UID, _ time.Time) { j.add("delete pod", string(uid)) }
func (j *journal) MarkSynced()                          { j.add("synced") }
func (j *journal) PodsBut(known *ledger.UIDs) []types.UID {
	return slices.DeleteFunc(slices.Clone(j.held), known.Has)
}
func (j *journal) HeldPods() iter.Seq[ledger.HeldPod] { return func(func(ledger.HeldPod) bool) {} }

func (j *journal) NodeSet(n *corev1.Node, row ledger.Node) {
	j.add("heard node", n.Name, string(row.UID))
}

func (j *journal) NodeDeleted(name string, uid types.UID) {
	j.add("heard of no node", name, string(uid))
}
func (j *journal) PodSet(row ledger.Pod)    { j.add("heard pod", row.Name) }
func (j *journal) PodDeleted(uid types.UID) { j.add("heard of no pod", string(uid)) }

func node(name, uid string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid)}}
}

func pod(name, uid string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(uid)}}
}

// logTo returns a logger and what was logged with it, one line each.
func logTo() (logr.Logger, *lockedBuffer) {
	b := &lockedBuffer{}
	return funcr.New(func(prefix, args string) { b.write(prefix + args + "\n") }, funcr.Options{}), b
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) write(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.WriteString(s)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestSyncedOnceAndAfterTheFirstLists(t *testing.T) {
	j := &journal{}
	client := fake.NewClientset(node("a", "1"), node("b", "2"), pod("p", "7"))
	i, err := NewInformers(client, j, InformerOptions{SyncTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	done := start(t, i.Start)
	wait(t, func() bool { return contains(j, "synced") })
	if lines := j.take(); lines[len(lines)-1] != "synced" || len(lines) != 4 {
		t.Errorf("written: %q, want two nodes and a pod, and then synced", lines)
	}
	if _, err := client.CoreV1().Pods("ns").Create(t.Context(), pod("q", "8"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return contains(j, "set pod q 8") })
	if err := done(); err != nil {
		t.Errorf("end: %v", err)
	}
	if contains(j, "synced") {
		t.Error("marked synced again")
	}
}

func TestAMissingPermissionIsSaid(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New(
			`User "system:serviceaccount:headroom-system:headroom" cannot list resource "pods" in API group "" at the cluster scope`))
	})
	log, logged := logTo()
	j := &journal{}
	i, err := NewInformers(client, j, InformerOptions{SyncTimeout: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	err = i.Start(logr.NewContext(t.Context(), log))
	const sentence = "cannot list pods at cluster scope: ServiceAccount headroom-system/headroom needs list on pods"
	if err == nil || !strings.Contains(err.Error(), sentence) || strings.Contains(err.Error(), "nodes at") {
		t.Errorf("start without the permission: %v, want %q", err, sentence)
	}
	if n := strings.Count(logged.String(), sentence); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, logged)
	}
	if contains(j, "synced") {
		t.Error("marked synced without the pods")
	}
}

func TestWatchProblemsAreLoggedOncePerChange(t *testing.T) {
	log, logged := logTo()
	ctx := logr.NewContext(t.Context(), log)
	w := &watchState{resource: "pods"}
	w.recovered()
	for range 3 {
		w.handle(ctx, nil, errors.New("read tcp 10.0.0.1:41234: connection reset"))
		w.handle(ctx, nil, errors.New("read tcp 10.0.0.1:41235: connection reset"))
	}
	w.handle(ctx, nil, apierrors.NewUnauthorized("no"))
	w.handle(ctx, nil, apierrors.NewResourceExpired("too old"))
	if w.problem() != "cannot watch pods: the API server does not accept the credentials" {
		t.Errorf("problem: %q", w.problem())
	}
	w.recovered()
	w.recovered()
	if got := strings.Count(logged.String(), "\n"); got != 3 || w.problem() != "" {
		t.Errorf("%d lines, want 3 (unreachable, unauthorized, works again):\n%s", got, logged)
	}
}

func TestMissingPermission(t *testing.T) {
	forbidden := func(text string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "x"}, "y", errors.New(text))
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"another error": {errors.New("no route to host"), ""},
		"a user and a namespace": {
			forbidden(`User "jane" cannot watch resource "configmaps" in API group "" in the namespace "headroom-system"`),
			`cannot watch configmaps in namespace "headroom-system": user "jane" needs watch on configmaps`,
		},
		"a resource of a group": {
			forbidden(`User "system:serviceaccount:a:b" cannot create resource "tokens" in API group "x.io" at the cluster scope`),
			"cannot create tokens.x.io at cluster scope: ServiceAccount a/b needs create on tokens.x.io",
		},
		"an unusual text": {forbidden("computer says no"), `the API server refuses it: x "y" is forbidden: computer says no`},
	} {
		t.Run(name, func(t *testing.T) {
			got, missing := MissingPermission(test.err)
			if got != test.want || missing != (test.want != "") {
				t.Errorf("got %q, %v, want %q", got, missing, test.want)
			}
		})
	}
}

// start runs f in the background; the function that it returns ends it and returns its error.
func start(t *testing.T, f func(context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(logr.NewContext(t.Context(), logr.Discard()))
	result := make(chan error, 1)
	go func() { result <- f(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// wait polls for something that happens in other goroutines, for 10 seconds.
func wait(t *testing.T, happened func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("did not happen within 10s")
		}
	}
}

func contains(j *journal, line string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Contains(j.lines, line)
}
