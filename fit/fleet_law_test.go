// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// The laws of the plain look hold for what a fleet decides, on many nodes and from one fleet to the next.
func TestFleetLaws(t *testing.T) {
	roomier, larger := 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(worlds/12); seed++ {
		c := chanceOf(seed)
		h := c.history(pick(c, 1, 2, 1+c.IntN(20), 1+c.IntN(130)))
		r, _ := h.request()
		r.Namespace = "elsewhere"
		f := NewFleet(h.ledger.Snapshot(), h.policy, epoch)
		before := f.Evaluate(r, epoch)
		n := pick(h.chance, h.nodes...)
		row, _ := h.ledger.Snapshot().Node(n.name)
		unsure := func(i imageref.Image) bool { return row.Presence(i.Ref) == ledger.PresenceUnsure }
		switch {
		case before.Action == Deny:
			more := imageref.Image{Ref: imageOf(10), PullPolicy: corev1.PullIfNotPresent}
			if h.oneIn(2) {
				h.ledger.SetManifest(more.Ref, linux, imagesize.Manifest{CompressedBytes: 1 + h.Int64N(500)})
			}
			r.Images = append(r.Images, more)
			f = f.Next(h.ledger.Snapshot(), h.policy, epoch)
			if after := f.Evaluate(r, epoch); after.Action != Deny {
				t.Fatalf("seed %d: %s; with one image more: %s", seed, before.Message, after.Message)
			}
			larger++
		case !n.unmeasured && n.age == 0 && !slices.ContainsFunc(r.Images, unsure):
			now := epoch.Add(time.Second)
			h.ledger.SetMeasurement(n.name, ledger.Measurement{
				CapacityBytes: n.capacity, AvailableBytes: n.available + h.Int64N(n.capacity-n.available+1), SampledAt: now, ReceivedAt: now,
				Inodes: n.inodes, InodesFree: n.inodesFree,
			})
			f = f.Next(h.ledger.Snapshot(), h.policy, now)
			if after := f.Evaluate(r, now); after.Action == Deny {
				t.Fatalf("seed %d: %s; with more space on %s: %s", seed, before.Message, n.name, after.Message)
			}
			roomier++
		}
	}
	if roomier < worlds/50 || larger < worlds/1500 {
		t.Errorf("only %d admissions with more room, and %d refusals with one image more", roomier, larger)
	}
}
