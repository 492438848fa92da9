// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/placement"
)

const (
	// taintAttempts and taintRetry are for nodes whose taints somebody else changes at the same time: the informer tells soon.
	taintAttempts = 6
	taintRetry    = 50 * time.Millisecond
	// taintBackOff is how long a node is left alone whose taints could not be written, doubled at each failure up to
	// maxTaintBackOff: an admission webhook may refuse just that one.
	taintBackOff, maxTaintBackOff = 10 * time.Second, 5 * time.Minute
	// taintTimeout is for one request.
	taintTimeout = 3 * time.Second
)

// edit gives a node the taints that change makes of those it has, and reports whether they are others now. It writes only over
// what it has read: where the node's taints are not those that the informer has told, it tries again, attempts times in all.
func (t *NodeTaints) edit(ctx context.Context, name string, attempts int, change func(*nodeTaints) []corev1.Taint) (changed bool, err error) {
	for attempt := 1; ; attempt++ {
		node, known := t.of(name)
		wants := change(&node)
		if !known || slices.Equal(node.taints, wants) {
			return false, nil
		}
		err := t.patch(ctx, name, node.uid, node.taints, wants)
		switch {
		case apierrors.IsNotFound(err):
			return false, nil
		case err == nil:
			t.succeeded(name)
			return true, nil
		case attempt == attempts, apierrors.IsForbidden(err), ctx.Err() != nil:
			return false, err
		}
		sleep(ctx, taintRetry*time.Duration(attempt))
	}
}

// of returns a copy of what is known of a node.
func (t *NodeTaints) of(name string) (node nodeTaints, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.nodes[name]; known != nil {
		node = *known
		node.steered = new(*known.steered)
		return node, true
	}
	return nodeTaints{}, false
}

// failed takes in that a node's taints could not be written, if err is not nil: it is left alone for a while, and so are all if
// it turns out that the right is missing.
func (t *NodeTaints) failed(ctx context.Context, name string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	t.mu.Lock()
	if node := t.nodes[name]; node != nil {
		s := node.steer()
		s.again = t.options.Now().Add(min(taintBackOff<<s.failures, maxTaintBackOff))
		s.failures = min(s.failures+1, 10) // a shift by more would overflow in the end
	}
	t.mu.Unlock()
	if apierrors.IsForbidden(err) {
		t.right.doubt()
	}
	t.options.Metrics.taint(taintFailed)
	if what, isNew := t.problem.occurred(err); isNew {
		t.options.Log.Error(err, "Taints of a node not written", "node", name, "reason", what)
	}
}

func (t *NodeTaints) succeeded(name string) {
	t.problem.occurred(nil)
	t.mu.Lock()
	defer t.mu.Unlock()
	if node := t.nodes[name]; node != nil {
		node.forgive()
	}
}

// forgive ends the waiting after failures.
func (t *NodeTaints) forgive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, node := range t.nodes {
		node.forgive()
	}
}

func (n *nodeTaints) forgive() {
	if n.failures > 0 {
		n.again, n.failures = time.Time{}, 0 // which neverSteered has
	}
}

func (t *NodeTaints) patch(ctx context.Context, name string, uid types.UID, has, wants []corev1.Taint) error {
	patch, err := taintPatch(uid, has, wants)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, taintTimeout)
	defer cancel()
	node, err := t.client.CoreV1().Nodes().Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.nodes[name]; known != nil && known.uid == node.UID {
		t.set(name, node.UID, node.Spec.Taints)
	}
	return nil
}

// patchOperation is one of RFC 6902.
type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// testOperation has its value also where that is null, for a field that is not there.
type testOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// taintPatch replaces a node's taints, provided that it is this very node and still has those it had. The resource version
// would be too much to ask for: a node's status changes all the time. The API server answers a test that fails with 422.
func taintPatch(uid types.UID, has, wants []corev1.Taint) ([]byte, error) {
	var before any // null: the API server leaves out an empty list
	if len(has) > 0 {
		before = has
	}
	change := patchOperation{Op: "add", Path: "/spec/taints", Value: wants} // which replaces what is there
	if len(wants) == 0 {
		change = patchOperation{Op: "remove", Path: "/spec/taints"}
	}
	return json.Marshal([]any{
		testOperation{Op: "test", Path: "/metadata/uid", Value: uid},
		testOperation{Op: "test", Path: "/spec/taints", Value: before},
		change,
	})
}

// without returns the taints but for the soft one, in a slice of its own.
func without(taints []corev1.Taint) []corev1.Taint {
	return slices.DeleteFunc(slices.Clone(taints), func(taint corev1.Taint) bool { return placement.IsSoft(&taint) })
}
