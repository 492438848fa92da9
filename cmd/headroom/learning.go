// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/registry"
)

// newLearner connects what pulls teach with the policy's pools and with what is predicted.
func (p *parts) newLearner(registerer prometheus.Registerer) *controller.Learner {
	return controller.NewLearner(p.ledger, controller.LearnerOptions{
		Pool: func(row *ledger.NodeRow) string {
			if pool := p.policy.Policy().PoolOf(row.Labels); pool != nil {
				return pool.Name
			}
			return ""
		},
		Predict: p.predict,
		Needed: func(row *ledger.NodeRow) estimate.Bytes {
			return neededByListed(p.ledger.Snapshot(), row)
		},
		Metrics: controller.NewPullMetrics(registerer),
	})
}

// predict says what a whole image takes on the node's disk.
func (p *parts) predict(row *ledger.NodeRow, ref imageref.Ref, _ types.UID) controller.Prediction {
	s := p.ledger.Snapshot()
	size := imageSize(s, row, ref, p.policy.Policy())
	evidence := s.Evidence(ref, row.Runtime, platformOf(row))
	return controller.Prediction{
		Bytes: size.Disk, Source: size.Source,
		ReportedBytes: evidence.Reported.Likely, Layered: evidence.Manifest.Layered(), BlobBytes: -1,
	}
}

// neededByListed is what the images that a node lists need of its disk at least: the snapshots of their layers, each
// once. Images whose layers are not known may be all shared, and need nothing.
func neededByListed(s *ledger.Snapshot, row *ledger.NodeRow) estimate.Bytes {
	var needed estimate.Bytes
	counted := map[string]bool{}
	for i := range row.Images {
		for _, ref := range row.Images[i].Refs {
			manifest := s.Evidence(ref, row.Runtime, platformOf(row)).Manifest
			if ref.Digest() == "" || !manifest.Layered() {
				continue
			}
			for _, layer := range manifest.Layers {
				if !counted[layer.ChainID] {
					counted[layer.ChainID] = true
					needed = needed.Plus(layer.Unpacked.DiskBytes)
				}
			}
			break
		}
	}
	return needed
}

func platformOf(row *ledger.NodeRow) imagesize.Platform {
	return imagesize.Platform{OS: row.OS, Architecture: row.Architecture}
}

// withLater asks a resolver for images that nothing waits for like for all others.
type withLater struct{ *registry.Resolver }

// WantLater implements [controller.Registries].
func (r withLater) WantLater(ref imageref.Ref, platforms ...imagesize.Platform) {
	r.Want(ref, platforms...)
}
