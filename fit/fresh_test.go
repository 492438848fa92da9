// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// What is larger than all that is on a disk is not on it, even where the kubelet's list says nothing: a node of 1000 bytes,
// 200 of them in use, that holds its eviction line at 150.
func TestDecisionOnFreshNodes(t *testing.T) {
	fresh := []node{{name: "n1", capacity: 1000, available: 800}}
	silent := func(l *ledger.Ledger) {
		row := fresh[0].row()
		row.Images = nil
		l.SetNode(row)
	}
	and := func(more func(*ledger.Ledger)) func(*ledger.Ledger) {
		return func(l *ledger.Ledger) { silent(l); more(l) }
	}
	atOnce := func(p *policy.Policy) { p.WarnAt, p.DenyAt = verdict.TriggersGC, verdict.TriggersGC }
	ran := func(finished bool, then func(*ledger.Ledger)) func(*ledger.Ledger) {
		return and(func(l *ledger.Ledger) {
			image := RequestOf(podOf("app")).Images[0]
			l.SetPod(ledger.Pod{UID: "p", Namespace: "team", Name: "p", NodeName: "n1", Finished: finished, Images: []ledger.PodImage{
				{Ref: image.Ref, PullPolicy: corev1.PullIfNotPresent, Pulled: finished},
			}}, epoch)
			then(l)
		})
	}
	nothing := func(*ledger.Ledger) {}
	run(t, map[string]situation{
		"an image that would not even fit an empty disk": {
			nodes: fresh, ledger: silent, registry: map[string]int64{"app": 900}, action: Deny, verdict: verdict.NeverFits,
		},
		"one byte more than is in use": {
			nodes: fresh, ledger: silent, policy: atOnce, registry: map[string]int64{"app": 201, "more": 600},
			pod:    func(pod *corev1.Pod) { *pod = *podOf("app", "more") },
			action: Deny, verdict: verdict.PressuresDisk,
		},
		"as much as is in use may be what is in use": {
			nodes: fresh, ledger: silent, policy: atOnce, registry: map[string]int64{"app": 200, "more": 600},
			pod:    func(pod *corev1.Pod) { *pod = *podOf("app", "more") },
			action: Warn, verdict: verdict.FillsDisk,
		},
		"what is in use is not known for certain any more": {
			nodes: []node{{name: "n1", capacity: 1000, available: 800, age: time.Hour}}, ledger: silent,
			registry: map[string]int64{"app": 900}, action: Allow, verdict: verdict.Unknown, reason: StaleSample,
		},
		"what is in use is only declared": {
			nodes: []node{{name: "n1", capacity: 1000, unmeasured: true}}, ledger: silent, registry: map[string]int64{"app": 900},
			policy: func(p *policy.Policy) { p.NodePools[0].ImageFilesystemBytes = 1000 }, action: Warn, verdict: verdict.NeverFits,
		},
		"a pod there may have pulled it since": {
			nodes: fresh, ledger: ran(false, nothing), registry: map[string]int64{"app": 900}, action: Allow, verdict: verdict.Fits,
		},
		"a finished pod there has pulled it since": {
			nodes: fresh, ledger: ran(true, nothing), registry: map[string]int64{"app": 900}, action: Warn, verdict: verdict.NeverFits,
		},
		"a pod that is gone may have pulled it since": {
			nodes: fresh, ledger: ran(false, func(l *ledger.Ledger) { l.DeletePod(types.UID("p"), epoch) }),
			registry: map[string]int64{"app": 900}, action: Warn, verdict: verdict.NeverFits,
		},
		"an image whose size nobody knows": {
			nodes: fresh, ledger: silent, registry: map[string]int64{}, action: Allow, verdict: verdict.Unknown, reason: UnknownSize,
		},
	})
}

// A size that nobody has told yet is worth waiting for, because it may show that the image is not there.
func TestFreshNodesAreWorthAWait(t *testing.T) {
	n := node{name: "n1", capacity: 1000, available: 800}
	l := world(n)
	row := n.row()
	row.Images = nil
	l.SetNode(row)
	if d := Evaluate(l.Snapshot(), RequestOf(podOf("app")), enforcing(), epoch); len(d.WaitFor) != 1 {
		t.Errorf("waits for %v, want the one image", d.WaitFor)
	}
	l.SetPod(ledger.Pod{UID: "p", Namespace: "team", Name: "p", NodeName: "n1", Finished: true, Images: []ledger.PodImage{
		{Ref: ref(t, "app"), PullPolicy: corev1.PullIfNotPresent, Pulled: true},
	}}, epoch)
	if d := Evaluate(l.Snapshot(), RequestOf(podOf("app")), enforcing(), epoch); len(d.WaitFor) != 0 {
		t.Errorf("waits for %v, though the image may be there whatever its size", d.WaitFor)
	}
}
