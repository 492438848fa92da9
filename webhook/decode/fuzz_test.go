// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"math/rand/v2"
	"testing"

	"github.com/headroom-dev/headroom/test/podtext"
)

// FuzzText: whatever is said to be a pod or a review is read as the typed decoder reads it, or left to it.
func FuzzText(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		samePod(t, text)
		sameReview(t, text)
	})
}

// FuzzMutated: the same for pods of which a part was made another one, so that most of it is still a pod.
func FuzzMutated(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(seed, uint(seed%5), []byte(`{"image":1}`))
	}
	f.Fuzz(func(t *testing.T, seed uint64, times uint, other []byte) {
		m := podtext.New(seed, other)
		text := m.Pod()
		for range times % 8 {
			text = m.Mutate(text)
		}
		samePod(t, text)
	})
}

// TestMutated does what FuzzMutated does, often enough to find what goes wrong once in thousands.
func TestMutated(t *testing.T) {
	const pods = 20_000
	read := 0
	for i := range uint64(pods) {
		m := podtext.New(i, nil)
		text := m.Pod()
		for range rand.New(rand.NewPCG(i, 1)).IntN(4) {
			text = m.Mutate(text)
		}
		if samePod(t, text) {
			read++
		}
	}
	// Else it would show nothing.
	if read < pods/4 || read > pods*3/4 {
		t.Errorf("%d of %d pods were read", read, pods)
	}
}
