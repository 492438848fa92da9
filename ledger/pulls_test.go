// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// TestPullsBringWhatTheImagesBeforeShare: what many images bring is what each of those before shares, worked out in the plain way.
func TestPullsBringWhatTheImagesBeforeShare(t *testing.T) {
	compared := 0
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		platform := imagesize.Platform{OS: "linux", Architecture: "amd64"}
		l := New()
		node := Node{Runtime: imagesize.Containerd, Images: []ListedImage{}}
		node.Name, node.OS, node.Architecture, node.UID = "a", platform.OS, platform.Architecture, "a"
		l.SetNode(node)
		var refs []imageref.Ref
		for i := range 48 {
			ref, err := imageref.Parse(fmt.Sprintf("example.com/%d:%d", rng.IntN(30), i))
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, ref)
			if rng.IntN(3) > 0 {
				l.SetManifest(ref, platform, someLayers(rng))
			}
		}
		l.MarkSynced()
		s := l.Snapshot()
		accounts := s.Accounts(View{Now: time.Unix(0, 0), Images: refs})
		row, _ := s.Node("a")
		pulls := accounts.Pulls(row)
		groups := make([]int, len(refs))
		for i, ref := range refs {
			groups[i] = rng.IntN(i + 1)
			var there imagesize.There
			x := s.layersOf(ref, platform)
			for k, before := range refs[:i] {
				if groups[k] == groups[i] {
					continue
				}
				there.Related = there.Related || x == nil && before.Repository() == ref.Repository()
				if known := s.layersOf(before, platform); x != nil && known != nil {
					shared := x.SharedWith(&known.Manifest)
					there.Sure, there.Likely, there.Possible = there.Sure.Or(shared), there.Likely.Or(shared), there.Possible.Or(shared)
				}
			}
			if got, want := pulls.Size(ref, groups[i]), accounts.current.sizeWith(ref, there); got != want {
				t.Fatalf("seed %d: image %d is %+v, one by one %+v", seed, i, got, want)
			}
			pulls.Take(ref, groups[i])
			compared++
		}
	}
	if compared < 1000 {
		t.Errorf("only %d images were compared", compared)
	}
}

// someLayers are an image's layers: each a chain that others may have up to some point, with blobs that come anywhere.
func someLayers(rng *rand.Rand) imagesize.Manifest {
	var m imagesize.Manifest
	chain := ""
	for range 1 + rng.IntN(6) {
		digest := fmt.Sprint("blob ", rng.IntN(20))
		chain += fmt.Sprint("/", rng.IntN(2))
		id := chain
		if rng.IntN(20) == 0 {
			id = ""
		}
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: digest, ChainID: id, CompressedBytes: 1 + rng.Int64N(1000),
			Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(rng.Int64N(1 << 30)), Inodes: rng.Int64N(1000)},
		})
	}
	return m
}
