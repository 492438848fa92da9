// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestKilledWhileSteering: with Headroom killed between the refusal and the scheduler's next try, the pod is scheduled, and
// the next Headroom takes the taint away when it is old.
func TestKilledWhileSteering(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Enforce")
	full, _ := unequalNodes(t, "killed")
	p := startHeadroom(t, "--record-delay=0s")
	namespace(t, "killed")
	awaitSteering(t, p)
	var sent string
	for i := 0; sent == ""; i++ {
		if i == 20 {
			t.Fatal("none of 20 pods was sent back")
		}
		name := fmt.Sprint("web-", i)
		if _, err := shared.client.CoreV1().Pods("killed").Create(t.Context(), poolPod(name, "killed", "example.com/big:1"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "a decision about "+name, func() bool {
			if sentBackEvents(t, "killed")[name] > 0 {
				sent = name
				return true
			}
			return nodesOf(t, "killed")[""] == 0
		})
	}
	eventually(t, 20*time.Second, "there is a taint to be left behind", func() bool { return hasTaint(t, full) })
	p.Kill()
	eventually(t, 30*time.Second, sent+" is bound", func() bool { return nodesOf(t, "killed")[""] == 0 })
	kubectl(t, "taint", "node", full, "example.com/other=1:PreferNoSchedule")
	oldTaint(t, full)
	next := startHeadroom(t)
	eventually(t, 40*time.Second, "the next one leads", func() bool { return next.Metric(t, "headroom_leader") == 1 })
	eventually(t, 20*time.Second, "the taint is gone", func() bool { return !hasTaint(t, full) })
	if taints := taintsOf(t, full); len(taints) != 1 || taints[0].Key != "example.com/other" {
		t.Errorf("taints %v, want the other one to stay", taints)
	}
	if n := next.Metric(t, "headroom_steering_taints_total", "outcome=removed"); n != 1 {
		t.Errorf("%v taints removed, want 1", n)
	}
}
