// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

func ref(t *testing.T, name string) imageref.Ref {
	t.Helper()
	r, err := imageref.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// imagesWorld has two nodes that share an image, one of another runtime, and a pull.
func imagesWorld(t *testing.T) *ledger.Ledger {
	t.Helper()
	l := ledger.New()
	listed := func(reported int64, names ...string) ledger.ListedImage {
		image := ledger.ListedImage{ReportedBytes: reported, NameCount: len(names)}
		for _, name := range names {
			image.Refs = append(image.Refs, ref(t, name))
		}
		return image
	}
	digest := func(name, digit string) string { return name + "@sha256:" + strings.Repeat(digit, 64) }
	for name, node := range map[string]struct {
		runtime imagesize.Runtime
		images  []ledger.ListedImage
	}{
		"a": {imagesize.Containerd, []ledger.ListedImage{listed(1<<30, digest("app", "a"), "app:1"), listed(1<<20, digest("untagged", "b"))}},
		"b": {imagesize.Containerd, []ledger.ListedImage{listed(1<<30, digest("app", "a"), "app:1"), listed(1<<20, "tagged:1")}},
		"c": {imagesize.CRIO, []ledger.ListedImage{listed(2<<30, digest("app", "a"), "app:1")}},
		"d": {imagesize.Containerd, []ledger.ListedImage{}},
	} {
		l.SetNode(ledger.Node{
			Node: placement.Node{Name: name, OS: "linux", Architecture: "amd64", Ready: true}, UID: types.UID(name), Runtime: node.runtime, Images: node.images,
			EphemeralStorageBytes: 100 << 30,
		})
	}
	l.MarkSynced()
	l.SetPod(ledger.Pod{UID: "p", Namespace: "ns", Name: "p", NodeName: "d", Images: []ledger.PodImage{{Ref: ref(t, "app:1")}, {Ref: ref(t, "new:1")}}}, time.Unix(1, 0))
	return l
}

func TestImagesTable(t *testing.T) {
	report := imagesOn(imagesWorld(t).Snapshot(), policy.Default(), time.Unix(2, 0))
	var out bytes.Buffer
	format := outputTable
	if err := format.write(&out, report, report.table); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/images.txt", out.String())

	want := imageReport{
		Name: "app:1", Kinds: []string{"containerd linux/amd64"}, Source: imagesize.SourceNode, Nodes: []string{"a", "b"}, Pulling: []string{"d"},
		DiskBytes: estimate.Between(1<<30, 3<<30, 9<<29),
	}
	if diff := cmp.Diff(want, report.Images[0]); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}
}

// TestImagesThatNoNodeLists: what pods have pulled is on their node, below the cap of its list, too.
func TestImagesThatNoNodeLists(t *testing.T) {
	l := imagesWorld(t)
	small, digest := ref(t, "small:1"), ref(t, "app@sha256:"+strings.Repeat("a", 64))
	pulled := func(uid types.UID, node string, image ledger.PodImage, finished bool) {
		image.Pulled = true
		l.SetPod(ledger.Pod{UID: uid, Namespace: "ns", Name: string(uid), NodeName: node, Finished: finished, Images: []ledger.PodImage{image}}, time.Unix(1, 0))
	}
	pulled("1", "a", ledger.PodImage{Ref: small}, false)
	pulled("2", "a", ledger.PodImage{Ref: small}, false)
	pulled("3", "b", ledger.PodImage{Ref: small}, false)
	pulled("4", "c", ledger.PodImage{Ref: small}, true)                                  // It may be gone.
	pulled("5", "a", ledger.PodImage{Ref: ref(t, "app:hidden"), ImageID: digest}, false) // Listed by its digest.
	s := l.Snapshot()
	got := map[string][]string{}
	for _, image := range imagesOn(s, policy.Default(), time.Unix(2, 0)).Images {
		got[image.Name] = append(got[image.Name], image.Nodes...)
	}
	want := map[string][]string{
		"app:1": {"a", "b", "c"}, "tagged:1": {"b"}, "untagged@sha256:" + strings.Repeat("b", 64): {"a"}, "new:1": nil, "small:1": {"a", "b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nodes by image (-want +got):\n%s", diff)
	}
	if asked := onNodes(s); !slices.Contains(asked, small) {
		t.Errorf("registries are asked for %v, not for what pods have pulled", asked)
	}
}

func TestImagesOfAnEmptyCluster(t *testing.T) {
	l := ledger.New()
	l.MarkSynced()
	report, format := imagesOn(l.Snapshot(), policy.Default(), time.Unix(2, 0)), outputJSON
	var out bytes.Buffer
	if err := format.write(&out, report, report.table); err != nil || out.String() != "{\n  \"images\": []\n}\n" {
		t.Errorf("%v, %s", err, out.String())
	}
}

func TestOnDisk(t *testing.T) {
	for want, size := range map[string]estimate.Bytes{
		"3Gi":                estimate.Exactly(3 << 30),
		"~3Gi (1Gi-4.5Gi)":   estimate.Between(1<<30, 3<<30, 9<<29),
		"~3Gi (1Gi or more)": estimate.Unbounded(1<<30, 3<<30),
		"?":                  estimate.Unbounded(0, 0),
	} {
		if got := (imageReport{DiskBytes: size}).onDisk(); got != want {
			t.Errorf("%+v is written %s, want %s", size, got, want)
		}
	}
}

// TestAskedForOnNodes: by digest where there is one; most nodes first.
func TestAskedForOnNodes(t *testing.T) {
	want := []imageref.Ref{ref(t, "app@sha256:"+strings.Repeat("a", 64)), ref(t, "app:1"), ref(t, "new:1"), ref(t, "untagged@sha256:"+strings.Repeat("b", 64))}
	if diff := cmp.Diff(want, onNodes(imagesWorld(t).Snapshot()), cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}
