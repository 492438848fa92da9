// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

func TestChangesArePublishedInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ledger.New()
		p := NewPublisher(l, prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Start(ctx) }()
		l.MarkSynced()
		set := func(name string) { l.SetNode(ledger.Node{Node: placement.Node{Name: name}}) }

		set("a")
		synctest.Wait()
		if n := l.Snapshot().Len(); n != 1 {
			t.Fatalf("%d nodes are seen right after the first came, want it", n)
		}
		seen := map[*ledger.Snapshot]bool{}
		for _, name := range []string{"b", "c", "d", "e"} {
			set(name)
			time.Sleep(publishEvery / 5)
			seen[l.Snapshot()] = true
		}
		if len(seen) != 1 {
			t.Errorf("%d snapshots within one interval, want one", len(seen))
		}
		time.Sleep(publishEvery)
		if n := l.Snapshot().Len(); n != 5 {
			t.Errorf("%d nodes are seen after the interval, want all 5", n)
		}
		var batches dto.Metric
		if err := p.nodes.Write(&batches); err != nil {
			t.Fatal(err)
		}
		if got := []float64{float64(batches.Histogram.GetSampleCount()), batches.Histogram.GetSampleSum()}; !cmp.Equal(got, []float64{2, 5}) {
			t.Errorf("%v batches and nodes are counted, want one of one node and one of four", got)
		}
		sample := func() {
			l.SetMeasurement("a", ledger.Measurement{CapacityBytes: 10, AvailableBytes: 5, SampledAt: time.Now(), ReceivedAt: time.Now()})
			synctest.Wait()
		}
		sample()
		time.Sleep(publishEvery)
		before := l.Snapshot()
		time.Sleep(time.Second)
		sample()
		time.Sleep(samplesEvery / 2)
		sample()
		if l.Snapshot() != before {
			t.Error("a sample that replaces another is seen at once, want it after a while, with others")
		}
		time.Sleep(samplesEvery/2 + time.Millisecond)
		if l.Snapshot() == before {
			t.Errorf("a sample is not seen after %s", samplesEvery)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
