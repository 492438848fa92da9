// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"testing"
	"time"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// What freshness waits for has to come, by the real decision and the policy that is put in force.
func TestEachEventTurnsTheVerdict(t *testing.T) {
	p, _, err := policy.Load([]byte(declared), true)
	if err != nil {
		t.Fatal(err)
	}
	l := fleet.Of(20, fleet.Roomy).Ledger()
	evaluator := fit.Evaluator{Snapshot: l.Snapshot, Policy: func() *policy.Policy { return p }, Clock: func() time.Time { return fleet.Epoch }}
	node, pod := pulledTo("fresh")
	node.UID, pod.UID = "node", "pod"
	for _, event := range []struct {
		what  string
		write func()
		fits  bool
	}{
		{"no node that it could go to", func() {}, false},
		{"a new node", func() { l.SetNode(controller.NodeOf(node)) }, true},
		{"a pod that is bound to it", func() { l.SetPod(controller.PodOf(pod), fleet.Epoch) }, false},
		{"a node that lists the image", func() {
			node.Status.Images = []corev1.ContainerImage{{Names: []string{askedImage}, SizeBytes: askedBytes}}
			l.SetNode(controller.NodeOf(node))
		}, true},
		{"a node that is gone", func() { l.DeleteNode(node.Name, node.UID) }, false},
	} {
		event.write()
		d := evaluator.Evaluate(fit.RequestOf(askedPod()))
		if (d.Verdict == verdict.Fits) != event.fits {
			t.Errorf("%s: %s on %d nodes: %s", event.what, d.Verdict, d.Possible, d.Message)
		}
		if event.fits && d.Tier != ledger.Declared {
			t.Errorf("%s: the verdict rests on what is %s", event.what, d.Tier)
		}
	}
}

func TestKubeletsAreKnownInEverySituation(t *testing.T) {
	for _, situation := range result.Situations() {
		if _, known := kubeletFlags[situation]; !known {
			t.Errorf("%s: nobody knows what kubelets are like then", situation)
		}
	}
}
