// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// What a name tells counts before what its digest does, also where it tells no layers; and no longer than it does.
func TestANameWithoutLayersHidesThoseOfItsDigest(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	byDigest, byTag := mustParse("a@"+digest), mustParse("a:1")
	layered := imagesize.Manifest{Digest: digest, CompressedBytes: 10, Layers: []imagesize.Layer{
		{Digest: "blob", ChainID: "chain", CompressedBytes: 10, Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(30)}},
	}}
	l := ledger.New()
	n := namedNode("n")
	n.Images = []ledger.ListedImage{{Refs: []imageref.Ref{byDigest}, NameCount: 1, ReportedBytes: 10}}
	l.SetNode(n)
	l.MarkSynced()
	known := func(when string, want bool) {
		t.Helper()
		row, _ := l.Snapshot().Node("n")
		if got := l.Snapshot().Layers(row) != (imagesize.Stored{}); got != want {
			t.Errorf("%s: layers are known: %v, want %v", when, got, want)
		}
	}
	known("at first", false)
	l.SetManifest(byTag, linux, layered)
	known("once a tag of that digest tells them", true)
	l.SetManifest(byDigest, linux, imagesize.Manifest{Digest: digest, CompressedBytes: 10})
	known("once the name itself tells none", false)
	l.DeleteManifest(byDigest, linux)
	known("once it tells nothing any more", true)
}
