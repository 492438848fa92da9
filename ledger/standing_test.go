// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// What a node is to some pod is between what is likely and what is available at best for nobody. What is likely is the same for all
// where nobody gains, and all of it where the row does not concern the pod.
func TestNodesAreToPodsWithinWhatTheyAreToNobody(t *testing.T) {
	concerned, gained := 0, 0
	for seed := range uint64(150) {
		h := &history{Rand: rand.New(rand.NewPCG(seed, 12)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), uids: map[string]int{}}
		l := ledger.New()
		l.MarkSynced()
		for step := range 200 {
			e := h.next()
			e.write(l)
			s := l.Snapshot()
			v := h.view(s)
			v.Pod = ""
			nobody := v
			nobody.Namespace, nobody.Images = ledger.Nobody, nil
			ofPod, ofNobody := s.Accounts(v), s.Accounts(nobody)
			var images []imageref.Image
			for _, ref := range v.Images {
				images = append(images, imageref.Image{Ref: ref})
			}
			for row := range s.Nodes() {
				gains, got, most := ofNobody.Gains(row), ofPod.Standing(row).Available, ofNobody.Standing(row).Available
				switch {
				case got.Likely < most.Likely || got.High < got.Likely || got.High > most.High:
					t.Fatalf("history %d, step %d: %s has %+v available, which is not within %+v", seed, step, row.Name, got, most)
				case !gains && got.Likely != most.Likely:
					t.Fatalf("history %d, step %d: %s likely has %d available, for nobody %d, and nobody gains", seed, step, row.Name, got.Likely, most.Likely)
				case !row.Concerns(v.Namespace, images) && got != most:
					t.Fatalf("history %d, step %d: %s has %+v available, for nobody %+v, and does not concern the pod", seed, step, row.Name, got, most)
				}
				if got != most {
					concerned++
				}
				if got.Likely > most.Likely {
					gained++
				}
			}
		}
	}
	if concerned < 500 || gained < 50 {
		t.Errorf("%d nodes had something else available for a pod, %d of them likely more", concerned, gained)
	}
}
