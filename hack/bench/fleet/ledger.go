// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"time"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// Ledger is what Headroom knows of the fleet once its informers are in sync and every kubelet has been asked.
func (s Spec) Ledger() *ledger.Ledger {
	l := ledger.New()
	for i := range s.Nodes {
		node := s.Node(i)
		l.SetNode(controller.NodeOf(node))
		for k := range s.PodsPerNode {
			l.SetPod(controller.PodOf(s.Pod(i, k)), Epoch)
		}
		// After its pods: what they have pulled is in it.
		l.SetMeasurement(node.Name, ledger.Measurement{
			NodeUID: node.UID, CapacityBytes: diskBytes, AvailableBytes: s.availableBytes(i), SampledAt: Epoch, ReceivedAt: Epoch,
		})
	}
	for k := range s.WaitingPods {
		l.SetPod(controller.PodOf(s.WaitingPod(k)), Epoch)
	}
	l.MarkSynced()
	return l
}

// Evaluator decides by what a ledger knows and the default policy, at the time when everything was measured. The order of nodes
// that `headroom serve` keeps beside the ledger is made once, of what the ledger knows now.
func Evaluator(l *ledger.Ledger) fit.Evaluator {
	defaults := policy.Default()
	f := fit.NewFleet(l.Snapshot(), defaults, Epoch)
	return fit.Evaluator{
		Snapshot: l.Snapshot,
		Policy:   func() *policy.Policy { return defaults },
		Clock:    func() time.Time { return Epoch },
		Fleet:    func() *fit.Fleet { return f },
	}
}
