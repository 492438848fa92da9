// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// tainter is NodeTaints with an API server of its own, that has these nodes.
type tainter struct {
	*NodeTaints
	client *fake.Clientset
	log    *lockedBuffer
	policy *atomic.Pointer[policy.Policy]
	// right is what the API server says about the right to patch nodes.
	right *atomic.Bool
}

func newTainter(t *testing.T, p *policy.Policy, nodes ...*corev1.Node) *tainter {
	t.Helper()
	k := newTainterOf(fake.NewClientset(), p)
	for _, n := range nodes {
		if err := k.client.Tracker().Add(n.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		k.NodeSet(n, ledger.Node{})
	}
	return k
}

// newTainterOf shares an API server with others.
func newTainterOf(client *fake.Clientset, p *policy.Policy) *tainter {
	log, logged := logTo()
	inForce, right := &atomic.Pointer[policy.Policy]{}, &atomic.Bool{}
	inForce.Store(p)
	right.Store(true)
	client.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		asked := review.Spec.ResourceAttributes
		review.Status.Allowed = right.Load() && asked.Verb == "patch" && asked.Resource == "nodes" && asked.Name == "" && asked.Group == ""
		return true, review, nil
	})
	taints := NewNodeTaints(client, NodeTaintsOptions{Policy: inForce.Load, Metrics: NewSteeringMetrics(nil), Log: log})
	return &tainter{NodeTaints: taints, client: client, log: logged, policy: inForce, right: right}
}

func (t *tainter) start(test *testing.T) {
	test.Helper()
	start(test, func(ctx context.Context) error { t.run(ctx); return nil })
	synctest.Wait()
}

// inform tells of a node what the API server has.
func (t *tainter) inform(test *testing.T, name string) {
	test.Helper()
	n, err := t.client.CoreV1().Nodes().Get(test.Context(), name, metav1.GetOptions{})
	if err != nil {
		test.Fatal(err)
	}
	t.NodeSet(n, ledger.Node{})
}

// has returns a node's taints, with their age in place of a time.
func (t *tainter) has(test *testing.T, name string) []string {
	test.Helper()
	n, err := t.client.CoreV1().Nodes().Get(test.Context(), name, metav1.GetOptions{})
	if err != nil {
		test.Fatal(err)
	}
	var taints []string
	for _, taint := range n.Spec.Taints {
		value := taint.Value
		if since, found := placement.SoftTaintSince([]corev1.Taint{taint}); found && !since.IsZero() {
			value = time.Since(since).String()
		}
		taints = append(taints, fmt.Sprintf("%s=%s:%s", taint.Key, value, taint.Effect))
	}
	return taints
}

func (t *tainter) expect(test *testing.T, when, name string, want ...string) {
	test.Helper()
	if diff := cmp.Diff(want, t.has(test, name)); diff != "" {
		test.Errorf("%s: taints of %s (-want +got):\n%s\n%s", when, name, diff, t.log)
	}
}

func (t *tainter) counted(test *testing.T, want map[string]float64) {
	test.Helper()
	got := map[string]float64{}
	for _, outcome := range []string{taintPut, taintRenewed, taintRemoved, taintLimited, taintFailed} {
		if n := testutil.ToFloat64(t.options.Metrics.taints.WithLabelValues(outcome)); n > 0 {
			got[outcome] = n
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		test.Errorf("steering_taints_total (-want +got):\n%s", diff)
	}
}

func tainted(name string, taints ...corev1.Taint) *corev1.Node {
	n := node(name, "uid-"+name)
	n.Spec.Taints = taints
	return n
}

// soft is the taint of an age.
func soft(age time.Duration) corev1.Taint { return placement.SoftTaint(time.Now().Add(-age)) }

var own = corev1.Taint{Key: "own", Value: "1", Effect: corev1.TaintEffectNoSchedule, TimeAdded: new(metav1.NewTime(t0))}

const (
	ownText   = "own=1:NoSchedule"
	youngText = placement.ImageStorageTaint + "=0s:PreferNoSchedule"
)

func steering() *policy.Policy {
	p := policy.Default()
	p.Mode = policy.Enforce
	return p
}
