// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"testing"

	"github.com/headroom-dev/headroom/imagesize"
)

// Two names of one image, of which a node has one, cost nothing there: neither may be looked at without the other.
func TestNamesOfOneImageAreLookedAtTogether(t *testing.T) {
	for _, before := range []int{0, maxImages - 1, maxImages, 2 * maxImages} {
		digest := "sha256:" + fmt.Sprintf("%064d", 7)
		there := node{name: "a", capacity: 1000, available: 200, images: map[string]int64{"mirror.example.com/big@" + digest: 1}}
		l := world(there)
		sizes := map[string]int64{}
		var names []string
		for i := range 3 * maxImages {
			if i == before {
				names = append(names, "example.com/big:1")
			}
			names = append(names, fmt.Sprint("example.com/small:", i))
			sizes[names[len(names)-1]] = 1
		}
		registry(t, l, sizes)
		l.SetManifest(ref(t, "example.com/big:1"), linux, imagesize.Manifest{Digest: digest, CompressedBytes: 800})
		names = append(names, "mirror.example.com/big@"+digest)
		d := Evaluate(l.Snapshot(), RequestOf(podOf(names...)), enforcing(), epoch)
		if d.Action != Allow || d.LeftOut == 0 {
			t.Errorf("the big image is number %d: %s, %d left out: %s", before, d.Action, d.LeftOut, d.Message)
		}
	}
}

// Names of one image that are too many are not looked at, whatever it needs.
func TestTooManyNamesOfOneImage(t *testing.T) {
	l := world(full("a"))
	digest := "sha256:" + fmt.Sprintf("%064d", 7)
	var names []string
	for i := range maxImages + 1 {
		names = append(names, fmt.Sprintf("mirror-%d.example.com/big:1", i))
		l.SetManifest(ref(t, names[i]), linux, imagesize.Manifest{Digest: digest, CompressedBytes: 800})
	}
	names = append(names, "example.com/small:1")
	registry(t, l, map[string]int64{"example.com/small:1": 1})
	if d := Evaluate(l.Snapshot(), RequestOf(podOf(names...)), enforcing(), epoch); d.Action != Allow || d.Reason != ManyImages || d.LeftOut != maxImages+1 {
		t.Errorf("%s, reason %q, %d left out", d.Action, d.Reason, d.LeftOut)
	}
}

// TestDemandingPodsAreLookedAtInBounds: what an evaluation asks and keeps is bounded by the nodes, whatever the pod holds.
func TestDemandingPodsAreLookedAtInBounds(t *testing.T) {
	const nodes = 20
	s, p := layeredFleet(t, nodes).Snapshot(), enforcing()
	for kind, r := range demandingRequests() {
		v := newSurvey(s, &r, p, epoch)
		if !v.run() {
			t.Fatalf("%s: no node", kind)
		}
		if len(v.images) > maxImages || len(v.images)+v.leftOut != len(r.wanted()) {
			t.Errorf("%s: %d images are looked at, %d left out, of %d", kind, len(v.images), v.leftOut, len(r.wanted()))
		}
		for _, c := range v.sizes.classes {
			// The fleet has 50 images that are pulled and 50 that are waited for.
			if n := len(c.evidence); n > maxImages+100 {
				t.Errorf("%s: %d images are looked up", kind, n)
			}
		}
		if v.possible.nodes == 0 || v.possible.nodes > nodes {
			t.Errorf("%s: %d nodes of %d", kind, v.possible.nodes, nodes)
		}
	}
}
