// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/headroom-dev/headroom/imagesize"
)

// someManifest has a chain of layers that others may have up to some point, with blobs that come anywhere; or none at all.
func someManifest(random *rand.Rand) *imagesize.Manifest {
	if random.IntN(6) == 0 {
		return nil
	}
	m, chain := &imagesize.Manifest{}, ""
	for range random.IntN(7) {
		chain += fmt.Sprint("/", random.IntN(2))
		m.Layers = append(m.Layers, imagesize.Layer{Digest: fmt.Sprint("blob ", random.IntN(15)), ChainID: chain})
		if random.IntN(30) == 0 {
			m.Layers[len(m.Layers)-1].ChainID = ""
		}
	}
	return m
}

// TestBroughtIsWhatTheImagesBeforeShare holds against comparing each image with each of those before it.
func TestBroughtIsWhatTheImagesBeforeShare(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	found := 0
	for range 3000 {
		var images []*imagesize.Manifest
		var groups []int
		brought := newBrought()
		for i := range 1 + random.IntN(12) {
			m, group := someManifest(random), random.IntN(i+1)
			var want imagesize.Shared
			for k, earlier := range images {
				if groups[k] != group && m.Layered() && earlier.Layered() {
					want = want.Or(m.SharedWith(earlier))
				}
			}
			if got := brought.shared(m, group); got != want {
				t.Fatalf("the images before bring %+v, one by one %+v, of %+v", got, want, m)
			}
			if want != (imagesize.Shared{}) {
				found++
			}
			brought.add(m, group)
			images, groups = append(images, m), append(groups, group)
		}
	}
	if found < 1000 {
		t.Errorf("only %d images shared anything", found)
	}
}
