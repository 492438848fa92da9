// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"strconv"
	"testing"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

func TestLayersBeyondWhatRuntimesTakeAreForgotten(t *testing.T) {
	ref, err := imageref.Parse("example.com/app:1")
	if err != nil {
		t.Fatal(err)
	}
	p := imagesize.Platform{OS: "linux", Architecture: "amd64"}
	for n, want := range map[int]int{maxLayers: maxLayers, maxLayers + 1: 0} {
		m := imagesize.Manifest{CompressedBytes: 7}
		for i := range n {
			m.Layers = append(m.Layers, imagesize.Layer{Digest: strconv.Itoa(i), ChainID: strconv.Itoa(i)})
		}
		l := New()
		l.MarkSynced()
		l.SetManifest(ref, p, m)
		if got := l.Snapshot().Evidence(ref, imagesize.Containerd, p).Manifest; len(got.Layers) != want || got.CompressedBytes != 7 {
			t.Errorf("of %d layers %d are remembered, want %d; %d bytes", n, len(got.Layers), want, got.CompressedBytes)
		}
	}
}
