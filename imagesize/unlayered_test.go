// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// TestImagesWithoutLayers is about what events tell and pulls have taught of images whose layers nobody knows: either may raise
// what is likely, and neither raises a low bound.
func TestImagesWithoutLayers(t *testing.T) {
	const node, event, operator = imagesize.SourceNode, imagesize.SourceEvent, imagesize.SourceOperator
	exactly, between := estimate.Exactly, estimate.Between
	factor := func(low, likely, high float64) imagesize.Learned {
		return imagesize.Learned{Reported: &estimate.Factor{Low: low, Likely: likely, High: high}}
	}
	tests := map[string]struct {
		evidence imagesize.Evidence
		declared *estimate.Factor
		there    imagesize.There
		want     estimate.Bytes
		source   imagesize.Source
	}{
		"an event":                                       {evidence: imagesize.Evidence{Pulled: exactly(100)}, want: between(0, 300, 450), source: event},
		"an event, and a declared factor":                {evidence: imagesize.Evidence{Pulled: exactly(100)}, declared: &estimate.Factor{Low: 2, Likely: 2, High: 2}, want: between(0, 200, 200), source: event},
		"an event, and what its pull took":               {evidence: imagesize.Evidence{Pulled: exactly(100), Observed: between(200, 500, 500)}, want: between(0, 500, 500), source: event},
		"a node says it, and an event":                   {evidence: imagesize.Evidence{Reported: exactly(10), Pulled: exactly(100)}, want: between(10, 30, 45), source: node},
		"the operator says it, and an event":             {evidence: imagesize.Evidence{OperatorBytes: 7, Pulled: exactly(100)}, want: exactly(7), source: operator},
		"the largest event":                              {evidence: imagesize.Evidence{Pulled: exactly(math.MaxInt64)}, want: between(0, math.MaxInt64, math.MaxInt64), source: event},
		"its pull took more than any factor":             {evidence: imagesize.Evidence{Reported: exactly(100), Observed: between(500, 600, 600)}, want: between(100, 600, 600), source: node},
		"its pull took next to nothing: much was shared": {evidence: imagesize.Evidence{Reported: exactly(100), Observed: between(1, 320, 320)}, want: between(1, 320, 450), source: node},
		"the pool's pulls took twice what was reported":  {evidence: imagesize.Evidence{Reported: exactly(100), Learned: factor(1.5, 2, 2.25)}, want: between(100, 200, 225), source: node},
		"one of the pool's pulls took nothing":           {evidence: imagesize.Evidence{Reported: exactly(100), Learned: factor(0, 2, 2.25)}, want: between(0, 200, 225), source: node},
		"the pool's pulls against what is declared":      {evidence: imagesize.Evidence{Reported: exactly(100), Learned: factor(0, 2, 2.25)}, declared: &estimate.Factor{Low: 3, Likely: 3, High: 3}, want: exactly(300), source: node},
		"a learned factor that is none":                  {evidence: imagesize.Evidence{Reported: exactly(100), Learned: factor(3, 2, 1)}, want: between(100, 300, 450), source: node},
		"disks of the pool hold less than images need":   {evidence: imagesize.Evidence{Reported: exactly(100), Learned: imagesize.Learned{Lazy: true}}, want: between(0, 300, 450), source: node},
		"but the operator knows":                         {evidence: imagesize.Evidence{OperatorBytes: 7, Learned: imagesize.Learned{Lazy: true}}, want: exactly(7), source: operator},
		"another version of it is there":                 {evidence: imagesize.Evidence{Reported: exactly(100)}, there: imagesize.There{Related: true}, want: between(0, 300, 450), source: node},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := test.evidence.Pull(imagesize.Containerd, test.declared, test.there)
			want := imagesize.Size{Disk: test.want, Peak: test.want, Source: test.source, Claimed: test.source == event}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
