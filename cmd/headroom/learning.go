// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// newLearner connects what pulls teach with the policy's pools and with what is predicted.
func (p *parts) newLearner(registerer prometheus.Registerer) *controller.Learner {
	return controller.NewLearner(p.ledger, controller.LearnerOptions{
		Pool:    func(row *ledger.NodeRow) string { return fit.Pool(row, p.policy.Policy()).Pool },
		Predict: p.predict,
		Needed:  func(row *ledger.NodeRow) estimate.Bytes { return fit.ListedOnDisk(p.ledger.Snapshot(), row) },
		Metrics: controller.NewPullMetrics(registerer),
	})
}

// predict says what pulling the image for a pod that has just been bound will take of the node's disk.
func (p *parts) predict(row *ledger.NodeRow, ref imageref.Ref, pod types.UID) controller.Prediction {
	s := p.ledger.Snapshot()
	row, found := s.Node(row.Name)
	if !found {
		return controller.Prediction{BlobBytes: -1}
	}
	size, missing := fit.PullOn(s, row, ref, pod, p.policy.Policy(), time.Now())
	prediction := controller.Prediction{
		Bytes: size.Disk, Source: size.Source, BlobBytes: -1,
		ReportedBytes: s.Evidence(ref, row.Runtime, platformOf(row)).Reported.Likely,
	}
	if missing != nil {
		prediction.Layered, prediction.BlobBytes, prediction.Unpacked = true, missing.BlobBytes, missing.Unpacked
	}
	return prediction
}

func platformOf(row *ledger.NodeRow) imagesize.Platform {
	return imagesize.Platform{OS: row.OS, Architecture: row.Architecture}
}
