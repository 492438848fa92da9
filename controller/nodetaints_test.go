// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
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
}

func newTainter(t *testing.T, p *policy.Policy, nodes ...*corev1.Node) *tainter {
	t.Helper()
	client := fake.NewClientset()
	log, logged := logTo()
	inForce := &atomic.Pointer[policy.Policy]{}
	inForce.Store(p)
	taints := NewNodeTaints(client, NodeTaintsOptions{Policy: inForce.Load, Metrics: NewSteeringMetrics(nil), Log: log})
	for _, n := range nodes {
		if err := client.Tracker().Add(n.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		taints.NodeSet(n, ledger.Node{})
	}
	return &tainter{NodeTaints: taints, client: client, log: logged, policy: inForce}
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

func TestTaintIsPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("plain"), tainted("others", own), tainted("old", soft(40*time.Second), own), tainted("young", soft(20*time.Second)))
		if k.put("plain") {
			t.Error("a taint is promised before anything runs")
		}
		k.start(t)
		for _, name := range []string{"plain", "others", "old", "young", "plain"} {
			if !k.ready(name) || !k.put(name) {
				t.Errorf("%s gets none", name)
			}
		}
		if k.ready("nobody") || k.put("nobody") {
			t.Error("a node that nobody knows gets one")
		}
		synctest.Wait()
		k.expect(t, "put", "plain", youngText)
		k.expect(t, "put", "others", ownText, youngText)
		k.expect(t, "renewed", "old", ownText, youngText)
		k.expect(t, "left", "young", placement.ImageStorageTaint+"=20s:PreferNoSchedule")
		k.counted(t, map[string]float64{taintPut: 2, taintRenewed: 1})
		if k.Tainted() != 4 {
			t.Errorf("%d nodes are tainted, want 4", k.Tainted())
		}
		// What the informer tells late changes nothing.
		k.NodeSet(tainted("plain"), ledger.Node{})
		k.put("plain")
		time.Sleep(10 * time.Millisecond)
		k.inform(t, "plain")
		time.Sleep(time.Second)
		synctest.Wait()
		k.expect(t, "put again", "plain", placement.ImageStorageTaint+"=1.01s:PreferNoSchedule")
		k.NodeDeleted("plain", "another")
		k.NodeDeleted("old", "uid-old")
		if !k.ready("plain") || k.ready("old") {
			t.Error("the wrong node is gone")
		}
	})
}

// Somebody else changes the node's taints at the same time: theirs stay.
func TestTaintBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("n"))
		k.start(t)
		if err := k.client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("nodes"), tainted("n", own), ""); err != nil {
			t.Fatal(err)
		}
		k.put("n")
		time.Sleep(60 * time.Millisecond)
		synctest.Wait()
		k.expect(t, "before the informer tells", "n", ownText)
		k.inform(t, "n")
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if has := k.has(t, "n"); len(has) != 2 || has[0] != ownText {
			t.Errorf("after it told: %v", has)
		}
		k.counted(t, map[string]float64{taintPut: 1})

		// Another node of the same name is not the one that was too full.
		stranger := tainted("n")
		stranger.UID = "another"
		if err := k.client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("nodes"), stranger, ""); err != nil {
			t.Fatal(err)
		}
		k.NodeSet(tainted("n"), ledger.Node{})
		k.put("n")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		k.expect(t, "another node", "n")
		k.counted(t, map[string]float64{taintPut: 1, taintFailed: 1})
	})
}

func TestTaintsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var nodes []*corev1.Node
		for i := range 2 * taintsAtOnce {
			nodes = append(nodes, tainted(fmt.Sprint("n", i)))
		}
		k := newTainter(t, steering(), nodes...)
		k.start(t)
		promised := func() (n int) {
			for _, node := range nodes {
				if k.put(node.Name) {
					n++
				}
			}
			synctest.Wait()
			return n
		}
		if n := promised(); n != taintsAtOnce {
			t.Errorf("%d nodes get a taint at once, want %d", n, taintsAtOnce)
		}
		time.Sleep(time.Second)
		if n := promised(); n != taintsAtOnce+taintsPerSecond {
			t.Errorf("a second later %d have one, want %d", n, taintsAtOnce+taintsPerSecond)
		}
		k.counted(t, map[string]float64{taintPut: taintsAtOnce + taintsPerSecond, taintLimited: taintsAtOnce + taintsAtOnce - taintsPerSecond})
	})
}

func TestTaintThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("a"), tainted("b"), tainted("c"))
		k.start(t)
		forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "", errors.New(
			`User "system:serviceaccount:headroom-system:headroom" cannot patch resource "nodes" in API group "" at the cluster scope`))
		k.client.PrependReactor("patch", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, forbidden })
		for _, name := range []string{"a", "b", "c"} {
			k.put(name)
		}
		synctest.Wait()
		k.counted(t, map[string]float64{taintFailed: 3})
		const sentence = "cannot patch nodes at cluster scope: ServiceAccount headroom-system/headroom needs patch on nodes"
		if n := strings.Count(k.log.String(), sentence); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, k.log)
		}
		if k.ready("a") {
			t.Error("ready although nodes can't be written")
		}
		time.Sleep(taintForbidden)
		if !k.ready("a") || !k.put("a") {
			t.Error("a node whose taint could not be written never gets one")
		}
	})
}

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := corev1.Taint{Key: placement.ImageStorageTaint, Value: "x", Effect: corev1.TaintEffectPreferNoSchedule}
		hard := corev1.Taint{Key: placement.ImageStorageTaint, Effect: corev1.TaintEffectNoSchedule}
		k := newTainter(t, steering(),
			tainted("left behind", own, soft(time.Hour)), tainted("at the end", soft(taintLife)), tainted("young", soft(taintLife-time.Second)),
			tainted("of a fast clock", soft(-time.Minute)), tainted("of no time", bad), tainted("of another time", soft(-time.Hour)),
			tainted("not ours", hard), tainted("none", own),
		)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go k.Sweep(ctx)
		synctest.Wait()
		k.expect(t, "at once", "left behind", ownText)
		k.expect(t, "at once", "at the end")
		k.expect(t, "at once", "young", placement.ImageStorageTaint+"=1m59s:PreferNoSchedule")
		k.expect(t, "at once", "of a fast clock", placement.ImageStorageTaint+"=-1m0s:PreferNoSchedule")
		k.expect(t, "at once", "of no time")
		k.expect(t, "at once", "of another time")
		k.expect(t, "at once", "not ours", placement.ImageStorageTaint+"=:NoSchedule")
		k.expect(t, "at once", "none", ownText)
		time.Sleep(taintSweep)
		synctest.Wait()
		k.expect(t, "a sweep later", "young")
		k.expect(t, "a sweep later", "of a fast clock", placement.ImageStorageTaint+"=-55s:PreferNoSchedule")
		k.counted(t, map[string]float64{taintRemoved: 5})
		off := steering()
		off.Steer = policy.SteerOff
		k.policy.Store(off)
		time.Sleep(taintSweep)
		synctest.Wait()
		k.expect(t, "with steering off", "of a fast clock")
		k.expect(t, "with steering off", "not ours", placement.ImageStorageTaint+"=:NoSchedule")
	})
}

func TestTaintsGoWithHeadroom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("a", soft(0), own), tainted("b", own), tainted("c", soft(time.Minute)))
		k.RemoveAll(t.Context())
		k.expect(t, "at the end", "a", ownText)
		k.expect(t, "at the end", "b", ownText)
		k.expect(t, "at the end", "c")
		k.counted(t, map[string]float64{taintRemoved: 2})
	})
}

func TestTaintPatch(t *testing.T) {
	other := corev1.Taint{Key: "own", Effect: corev1.TaintEffectNoSchedule, TimeAdded: new(metav1.NewTime(t0))}
	taint := placement.SoftTaint(t0)
	const (
		uid       = `[{"op":"test","path":"/metadata/uid","value":"1"},`
		otherJSON = `{"key":"own","effect":"NoSchedule","timeAdded":"2026-01-01T12:00:00Z"}`
		softJSON  = `{"key":"headroom.dev/image-storage","value":"1767268800","effect":"PreferNoSchedule"}`
	)
	for what, c := range map[string]struct {
		has, wants []corev1.Taint
		want       string
	}{
		"the first one": {nil, []corev1.Taint{taint}, uid + `{"op":"test","path":"/spec/taints","value":null},{"op":"add","path":"/spec/taints","value":[` + softJSON + `]}]`},
		"one more": {
			[]corev1.Taint{other},
			[]corev1.Taint{other, taint},
			uid + `{"op":"test","path":"/spec/taints","value":[` + otherJSON + `]},{"op":"add","path":"/spec/taints","value":[` + otherJSON + `,` + softJSON + `]}]`,
		},
		"the last one gone": {[]corev1.Taint{taint}, []corev1.Taint{}, uid + `{"op":"test","path":"/spec/taints","value":[` + softJSON + `]},{"op":"remove","path":"/spec/taints"}]`},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := taintPatch("1", c.has, c.wants)
			if diff := cmp.Diff(c.want, string(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
