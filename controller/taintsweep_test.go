// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// known is how old a taint may be by its value when it is found first.
const known = taintLife + clockTolerance

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := corev1.Taint{Key: placement.ImageStorageTaint, Value: "x", Effect: corev1.TaintEffectPreferNoSchedule}
		hard := corev1.Taint{Key: placement.ImageStorageTaint, Effect: corev1.TaintEffectNoSchedule}
		k := newTainter(t, steering(),
			tainted("left behind", own, soft(time.Hour)), tainted("at the end", soft(known)), tainted("maybe of a slow clock", soft(known-time.Second)),
			tainted("of a fast clock", soft(-time.Hour)), tainted("of no time", bad), tainted("not ours", hard), tainted("none", own),
		)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go k.Sweep(ctx)
		synctest.Wait()
		k.expect(t, "at once", "left behind", ownText)
		k.expect(t, "at once", "at the end")
		k.expect(t, "at once", "maybe of a slow clock", placement.ImageStorageTaint+"=7m29s:PreferNoSchedule")
		k.expect(t, "at once", "of a fast clock", placement.ImageStorageTaint+"=-1h0m0s:PreferNoSchedule")
		k.expect(t, "at once", "of no time")
		k.expect(t, "at once", "not ours", placement.ImageStorageTaint+"=:NoSchedule")
		k.expect(t, "at once", "none", ownText)
		time.Sleep(taintSweep)
		synctest.Wait()
		k.expect(t, "a sweep later", "maybe of a slow clock")
		time.Sleep(taintLife - 2*taintSweep)
		synctest.Wait()
		k.expect(t, "before the end", "of a fast clock", placement.ImageStorageTaint+"=-57m35s:PreferNoSchedule")
		time.Sleep(taintSweep)
		synctest.Wait()
		k.expect(t, "at the end", "of a fast clock")
		k.counted(t, map[string]float64{taintRemoved: 5})
	})
}

// Where nobody steers any more, all taints go: also one that has just come, whoever put it there.
func TestSweepWithoutSteering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := steering()
		off.Steer = policy.SteerOff
		hard := corev1.Taint{Key: placement.ImageStorageTaint, Effect: corev1.TaintEffectNoSchedule}
		k := newTainter(t, steering(), tainted("young", soft(0)), tainted("of a fast clock", soft(-time.Minute)), tainted("not ours", hard), tainted("late"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go k.Sweep(ctx)
		synctest.Wait()
		k.expect(t, "with steering", "young", youngText)
		k.policy.Store(off)
		late := tainted("late", soft(-taintSweep), own)
		if err := k.client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("nodes"), late, ""); err != nil {
			t.Fatal(err)
		}
		k.inform(t, "late")
		time.Sleep(taintSweep)
		synctest.Wait()
		k.expect(t, "without", "young")
		k.expect(t, "without", "of a fast clock")
		k.expect(t, "without", "late", ownText)
		k.expect(t, "without", "not ours", placement.ImageStorageTaint+"=:NoSchedule")
	})
}

// A replica that ends takes away what it has put, and nothing else: not even where it was the last one to be told of a taint.
func TestTakeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("own", own), tainted("renewed"), tainted("renewed unseen"), tainted("another's", soft(0)), tainted("none", own))
		stop := start(t, func(ctx context.Context) error {
			go k.run(ctx)
			return k.TakeBack(ctx)
		})
		synctest.Wait()
		for _, name := range []string{"own", "renewed", "renewed unseen"} {
			k.put(name)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		for _, name := range []string{"renewed", "renewed unseen"} {
			if err := k.client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("nodes"), tainted(name, soft(0)), ""); err != nil {
				t.Fatal(err)
			}
		}
		k.inform(t, "renewed")
		k.expect(t, "before", "own", ownText, placement.ImageStorageTaint+"=40s:PreferNoSchedule")
		if err := stop(); err != nil {
			t.Error(err)
		}
		k.expect(t, "at the end", "own", ownText)
		k.expect(t, "at the end", "renewed", youngText)
		k.expect(t, "at the end", "renewed unseen", youngText)
		k.expect(t, "at the end", "another's", placement.ImageStorageTaint+"=40s:PreferNoSchedule")
		k.expect(t, "at the end", "none", ownText)
		k.counted(t, map[string]float64{taintPut: 3, taintRemoved: 1})
	})
}
