// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// Where something else is known of an image's size than in an earlier snapshot, it is one of those resized since.
func TestResizedImagesAreTold(t *testing.T) {
	const histories, steps = 60, 300
	told, kept, all := 0, 0, 0
	for seed := range uint64(histories) {
		h := &history{Rand: rand.New(rand.NewPCG(seed, 12)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), uids: map[string]int{}}
		l := ledger.New()
		l.MarkSynced()
		past := []*ledger.Snapshot{l.Snapshot()}
		for step := range steps {
			e := h.next()
			e.write(l)
			if h.IntN(4) == 0 {
				l.SetPulled(twinImages()[h.IntN(6)], imagesize.Containerd, linux, h.Int64N(3))
			}
			if h.IntN(8) == 0 {
				// A tag stands for what others know by its digest.
				l.SetManifest(twinImages()[h.IntN(4)], linux, h.layeredManifest(twinImages()[4]))
			}
			s, before := l.Snapshot(), past[max(0, len(past)-1-h.IntN(60))]
			past = append(past, s)
			resized := s.ResizedSince(before)
			if resized.All() {
				all++
				continue
			}
			for _, ref := range twinImages() {
				same := s.SameSize(before, ref, imagesize.Containerd, linux, imagesize.PoolKey{}) && s.SameSize(before, ref, imagesize.CRIO, linux, imagesize.PoolKey{})
				switch {
				case !same && !resized.Has(ref):
					t.Fatalf("history %d, step %d: something else is known of %s, which is not told", seed, step, ref)
				case !same:
					told++
				case !resized.Has(ref):
					kept++
				}
			}
		}
	}
	if told < 1000 || kept < 1000 || all == 0 {
		t.Errorf("%d times an image was told, %d times it was not, and %d times it could have been any", told, kept, all)
	}
}
