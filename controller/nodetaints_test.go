// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

func TestTaintIsPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTainter(t, steering(), tainted("plain"), tainted("others", own), tainted("old", soft(40*time.Second), own), tainted("young"))
		if k.put("plain") {
			t.Error("a taint is promised before anything runs")
		}
		k.start(t)
		k.put("young")
		time.Sleep(20 * time.Second)
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
		k.counted(t, map[string]float64{taintPut: 3, taintRenewed: 1})
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
