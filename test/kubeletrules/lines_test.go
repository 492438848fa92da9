// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeletrules

import (
	"math"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/pkg/kubelet/eviction"
	evictionapi "k8s.io/kubernetes/pkg/kubelet/eviction/api"
)

const configurations = 8_000

// lines are where a kubelet's thresholds are on one file system that holds images.
type lines struct{ eviction, target, inodes int64 }

// linesOf asks the kubelet's own functions.
func linesOf(thresholds []evictionapi.Threshold, capacity, inodes int64, shared bool) lines {
	var l lines
	// What it says of containerfs is only a warning for its log.
	thresholds, _ = eviction.UpdateContainerFsThresholds(slices.Clone(thresholds), !shared, false)
	for _, threshold := range thresholds {
		of := capacity
		switch threshold.Signal {
		case evictionapi.SignalImageFsAvailable, evictionapi.SignalContainerFsAvailable:
		case evictionapi.SignalNodeFsAvailable:
			if !shared {
				continue
			}
		case evictionapi.SignalImageFsInodesFree, evictionapi.SignalContainerFsInodesFree:
			of = inodes
		case evictionapi.SignalNodeFsInodesFree:
			if !shared {
				continue
			}
			of = inodes
		default:
			continue
		}
		if threshold.Operator != evictionapi.OpLessThan {
			continue // One that thresholdsMet never finds met: it stands for none.
		}
		quantity := evictionapi.GetThresholdQuantity(threshold.Value, resource.NewQuantity(of, resource.BinarySI))
		line := value(quantity)
		if of == inodes {
			l.inodes = max(l.inodes, line)
			continue
		}
		if threshold.MinReclaim != nil {
			quantity.Add(*evictionapi.GetThresholdQuantity(*threshold.MinReclaim, resource.NewQuantity(of, resource.BinarySI)))
		}
		l.eviction, l.target = max(l.eviction, line), max(l.target, value(quantity))
	}
	if l.eviction == 0 {
		l.target = 0
	}
	return l
}

// value saturates, which a sum's own Value does not.
func value(q *resource.Quantity) int64 {
	if q.CmpInt64(math.MaxInt64) >= 0 {
		return math.MaxInt64
	}
	return q.Value()
}

func TestLinesAreTheKubelets(t *testing.T) {
	kept, withLine, withReclaim, withInodes := 0, 0, 0, 0
	for seed := range uint64(configurations) {
		c := chanceOf(seed)
		config := c.configuration()
		theirs, ours, _, ok := both(t, config)
		if !ok {
			continue
		}
		kept++
		for range 4 {
			// An odd number of inodes, so that it is never the capacity as well.
			capacity, inodes, shared := 2*c.bytes(60), 2*c.bytes(40)+1, c.oneIn(2)
			want := linesOf(theirs, capacity, inodes, shared)
			got := lines{ours.EvictionLineBytes(capacity, shared), ours.EvictionTargetBytes(capacity, shared), ours.InodeLine(inodes, shared)}
			// Two numbers with fractions of a byte are each rounded up.
			if got != want && (got.eviction != want.eviction || got.inodes != want.inodes || got.target-want.target != 1) {
				t.Fatalf("seed %d, capacity %d, inodes %d, one disk %t: %+v, the kubelet has %+v\n%s", seed, capacity, inodes, shared, got, want, describe(config))
			}
			if want.eviction > 0 {
				withLine++
			}
			if want.target > want.eviction {
				withReclaim++
			}
			if want.inodes > 0 {
				withInodes++
			}
		}
	}
	t.Logf("of %d configurations a kubelet runs with %d; cases with a line %d, with a minimum reclaim %d, with a line for inodes %d",
		configurations, kept, withLine, withReclaim, withInodes)
	if least := configurations / 10; kept < least || withLine < least || withReclaim < least || withInodes < least {
		t.Error("too few cases to prove anything")
	}
}
