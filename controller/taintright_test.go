// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headroom-dev/headroom/policy"
)

// refuse has patches of these nodes refused, or of all, until the returned function is called.
func (t *tainter) refuse(err error, names ...string) (allow func()) {
	var over atomic.Bool
	t.client.PrependReactor("patch", "nodes", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if name := action.(clienttesting.PatchAction).GetName(); over.Load() || len(names) > 0 && !slices.Contains(names, name) {
			return false, nil, nil
		}
		return true, nil, err
	})
	return func() { over.Store(true) }
}

// forbids is how the API server refuses a patch of node a.
func forbids(why string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "a", errors.New(why))
}

var (
	errNoRight = forbids(`User "system:serviceaccount:headroom-system:headroom" cannot patch resource "nodes" in API group "" at the cluster scope`)
	errWebhook = forbids(`admission webhook "nodes.example.com" denied the request: not this one`)
)

// What refuses one node keeps the taint from no other one, and that one is tried less and less often.
func TestOneNodeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("a"), tainted("b"))
		k.start(t)
		allow := k.refuse(errWebhook, "a")
		k.put("a")
		synctest.Wait()
		if k.ready("a") || !k.ready("b") || !k.put("b") {
			t.Error("the refusal of one node is not of that node alone")
		}
		synctest.Wait()
		k.expect(t, "beside one that is refused", "b", youngText)
		for _, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 5 * time.Minute, 5 * time.Minute} {
			time.Sleep(wait - time.Second)
			if k.ready("a") {
				t.Errorf("it is tried again before %v", wait)
			}
			time.Sleep(time.Second)
			if !k.ready("a") || !k.put("a") {
				t.Errorf("it is not tried again after %v", wait)
			}
			synctest.Wait()
		}
		k.counted(t, map[string]float64{taintPut: 1, taintFailed: 8})
		if n := strings.Count(k.log.String(), "Taints of a node not written"); n != 2 { // once more, as another node worked in between
			t.Errorf("said %d times, want 2:\n%s", n, k.log)
		}
		allow()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		k.put("a")
		synctest.Wait()
		k.expect(t, "when it is allowed", "a", youngText)
		if !k.ready("a") {
			t.Error("one that worked has to wait")
		}
	})
}

// The leader tries to take taints away from a node that is refused, and that keeps nothing else from working, however long.
func TestSweepOfARefusedNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("a", soft(time.Hour)), tainted("b", soft(time.Hour)), tainted("c"))
		k.start(t)
		k.refuse(errWebhook, "a")
		go k.Sweep(t.Context())
		for range 12 * 60 {
			time.Sleep(taintSweep)
			synctest.Wait()
			if !k.ready("c") {
				t.Fatal("no binding is sent back from another node")
			}
		}
		synctest.Wait()
		k.expect(t, "after an hour", "b")
		if n := testutil.ToFloat64(k.options.Metrics.taints.WithLabelValues(taintFailed)); n < 12 || n > 20 {
			t.Errorf("tried %v times in an hour, want about every five minutes", n)
		}
	})
}

// Without the right, nothing is promised, from the start; and soon after it is granted, all is.
func TestNoRightToPutTaints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("a"), tainted("b"))
		k.right.Store(false)
		if k.ready("a") {
			t.Error("ready before the API server was asked")
		}
		k.start(t)
		time.Sleep(time.Hour)
		synctest.Wait()
		if k.ready("a") {
			t.Error("ready without the right")
		}
		const missing, back = "No binding is sent back: the right to put soft taints is missing", "Bindings may be sent back again"
		if n := strings.Count(k.log.String(), missing); n != 1 {
			t.Errorf("said %d times, want once:\n%s", n, k.log)
		}
		k.right.Store(true)
		time.Sleep(taintRightAgain)
		synctest.Wait()
		if !k.ready("a") || strings.Count(k.log.String(), back) != 1 {
			t.Errorf("not ready although the right is there again:\n%s", k.log)
		}
		k.counted(t, map[string]float64{})
	})
}

// A right that is taken away is missed at the next taint, for all nodes, and those wait for nothing when it is back.
func TestRightIsTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("a"), tainted("b"))
		k.start(t)
		allow := k.refuse(errNoRight)
		k.right.Store(false)
		k.put("a")
		synctest.Wait()
		if k.ready("a") || k.ready("b") {
			t.Error("ready although nodes can't be written")
		}
		const sentence = "cannot patch nodes at cluster scope: ServiceAccount headroom-system/headroom needs patch on nodes"
		if n := strings.Count(k.log.String(), sentence); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, k.log)
		}
		allow()
		k.right.Store(true)
		time.Sleep(taintRightAgain)
		synctest.Wait()
		for _, name := range []string{"a", "b"} {
			if !k.ready(name) || !k.put(name) {
				t.Errorf("%s gets none although the right is back", name)
			}
		}
		synctest.Wait()
		k.expect(t, "with the right", "a", youngText)
		k.counted(t, map[string]float64{taintPut: 2, taintFailed: 1})
	})
}

// Where nobody steers, a right that was taken away on purpose is nothing to speak of; where nobody says, it is taken to be there.
func TestNobodyAsksForTheRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := steering()
		off.Steer = policy.SteerOff
		k := newTainter(t, off, tainted("a"))
		k.right.Store(false)
		k.start(t)
		time.Sleep(time.Hour)
		synctest.Wait()
		if k.log.String() != "" {
			t.Errorf("logged:\n%s", k.log)
		}
		k.policy.Store(steering())
		time.Sleep(taintRightAgain)
		synctest.Wait()
		if !strings.Contains(k.log.String(), "right to put soft taints is missing") {
			t.Errorf("not said once the policy steers:\n%s", k.log)
		}
		silent := newTainter(t, steering(), tainted("a"))
		silent.client.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errNoRight
		})
		silent.start(t)
		if !silent.ready("a") {
			t.Error("not ready although nothing was refused")
		}
	})
}
