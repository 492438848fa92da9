// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

const mib = int64(1) << 20

// Images of these tests are made of layers of so many MiB, compressed and unpacked
// alike, on nodes that keep both.

func layered(w *lt.World, name, letters string, compressedMiB ...int64) {
	m := imagesize.Manifest{Digest: w.Ref(name).Digest()}
	for i, size := range compressedMiB {
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: letters[i : i+1], ChainID: letters[:i+1], CompressedBytes: size * mib,
			Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(size * mib), Inodes: 1},
		})
		m.CompressedBytes += size * mib
	}
	w.Ledger.SetManifest(w.Ref(name), lt.Linux, m)
}

// asKept looks at images as nodes of a pool that keeps blobs have them.
func asKept(w *lt.World) func(*ledger.View) {
	learned := imagesize.Learned{Kept: &estimate.Factor{Low: 1, Likely: 1, High: 1}}
	s := w.Ledger.Snapshot()
	return func(v *ledger.View) {
		v.Size = func(row *ledger.NodeRow, ref imageref.Ref, there imagesize.There) imagesize.Size {
			e := s.Evidence(ref, row.Runtime, lt.Linux)
			e.Learned = learned
			return e.Pull(row.Runtime, nil, there)
		}
		v.Stored = func(row *ledger.NodeRow, stored imagesize.Stored) estimate.Bytes {
			return stored.OnDisk(row.Runtime, nil, learned)
		}
	}
}

// wholeMiB are the bounds without the little that each image has of its own.
func wholeMiB(b estimate.Bytes) [3]int64 {
	round := func(n int64) int64 { return (n + mib/2) / mib }
	return [3]int64{round(b.Low), round(b.Likely), b.High / (10 * mib) * 10}
}

func TestPullCountsTheLayersThatAreThere(t *testing.T) {
	tests := map[string]struct {
		build func(*lt.World)
		want  [3]int64
	}{
		"nothing is there": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib))
		}, [3]int64{60, 60, 60}},
		"a running image has the base": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib), lt.Lists("base=10485760"))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "base"))
		}, [3]int64{40, 40, 40}},
		"an image has it that nobody uses: it may be gone by then": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib), lt.Lists("base=10485760"))
		}, [3]int64{40, 40, 60}},
		"a pod has pulled the base, and the list is behind": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "base"))
		}, [3]int64{40, 40, 40}},
		"the base is being pulled": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib))
			w.Pod("p", lt.On("a"), lt.Wants("base"))
		}, [3]int64{40, 40, 40}},
		"the base may be pulled, or not": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib))
			w.Pod("p", lt.On("a"), lt.Wants("base"), lt.Deleting())
		}, [3]int64{40, 60, 60}},
		"a pod that is done has pulled the base, and the list is behind": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "base"), lt.Finished())
		}, [3]int64{40, 60, 60}},
		"a pod that is gone has": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "base"))
			w.Delete("p")
		}, [3]int64{40, 60, 60}},
		"an image is listed without a size": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3000*mib), lt.Lists("stranger=0"))
		}, [3]int64{0, 60, 60}},
		"an image by a tag alone is as large as what the registry has by that tag": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib), lt.Lists("other=14680064", "base=10485760"))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "base"))
		}, [3]int64{40, 40, 40}},
		"an image by a tag alone is none that the registry has by that tag": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib), lt.Lists("other=7340032"))
		}, [3]int64{40, 60, 60}},
		"an image whose layers nobody knows may have the base": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib), lt.Lists("stranger=11000000"))
		}, [3]int64{40, 60, 60}},
		"it is too small to have it": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib), lt.Lists("stranger=6000000"))
		}, [3]int64{60, 60, 60}},
		"the list is cut: smaller images may be there": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3900*mib), lt.Lists("other=14680064"), lt.ListCap(1))
		}, [3]int64{40, 60, 60}},
		"the list says nothing, but the disk is nearly empty": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3997*mib), lt.ListsNothing())
		}, [3]int64{60, 60, 60}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			layered(w, "app", "ab", 10, 20)
			layered(w, "base", "a", 10)
			layered(w, "other", "z", 14)
			test.build(w)
			view := w.View()
			asKept(w)(&view)
			got := w.Ledger.Snapshot().Accounts(view).Pull(w.Row("a"), w.Ref("app"))
			if diff := cmp.Diff(test.want, wholeMiB(got.Disk)); diff != "" {
				t.Errorf("app adds, MiB (-want +got):\n%s", diff)
			}
		})
	}
}

// TestATagThatMovedDoesNotSayWhatIsListed: the node has the image that the tag stood
// for when it was pulled.
func TestATagThatMovedDoesNotSayWhatIsListed(t *testing.T) {
	const hex = "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	w := lt.New(t)
	layered(w, "app:v2", "ab", 10, 20)
	w.Ledger.SetManifest(w.Ref("app:v1"), lt.Linux, imagesize.Manifest{
		Digest: "sha256:b" + hex, CompressedBytes: 30 * mib, Layers: []imagesize.Layer{{Digest: "a", ChainID: "a", CompressedBytes: 10 * mib}},
	})
	w.Node("a", lt.Disk(4000*mib, 3900*mib), lt.Lists("app@sha256:a"+hex+"|app:v1=31457280"))
	w.Pod("p", lt.On("a"), lt.Runs(w.Now, "app:v1"))
	view := w.View()
	asKept(w)(&view)
	got := wholeMiB(w.Ledger.Snapshot().Accounts(view).Pull(w.Row("a"), w.Ref("app:v2")).Disk)
	if got != [3]int64{0, 60, 60} {
		t.Errorf("v2 adds %v MiB: what is listed may share all of it, or nothing", got)
	}
}

func TestOneOfTwoImagesBringsTheBase(t *testing.T) {
	w := lt.New(t)
	layered(w, "one", "ab", 10, 20)
	layered(w, "two", "ac", 10, 30)
	w.Node("a", lt.Disk(4000*mib, 3900*mib))
	w.Pod("p", lt.On("a"), lt.Wants("one", "two"))
	if got := wholeMiB(w.Account("a", asKept(w)).Pending); got != [3]int64{120, 120, 120} {
		t.Errorf("both are pending with %v MiB, want 120: the base of 20 once", got)
	}
	layered(w, "three", "ad", 10, 5)
	view := w.View()
	asKept(w)(&view)
	accounts := w.Ledger.Snapshot().Accounts(view)
	if got := accounts.Pull(w.Row("a"), w.Ref("three")); wholeMiB(got.Disk)[1] != 10 {
		t.Errorf("a third one adds %v MiB, want 10", wholeMiB(got.Disk))
	}
}

func TestReservedImagesBringTheirBaseOnce(t *testing.T) {
	w := lt.New(t)
	w.Node("a", lt.Disk(4000*mib, 3900*mib))
	for _, name := range []string{"one", "two", "four"} {
		layered(w, name, "a"+name[:1], 10, 20)
		w.Pod(name, lt.Wants(name), lt.Nominated("a"))
	}
	layered(w, "app", "ax", 10, 5)
	if got := wholeMiB(w.Account("a", asKept(w)).Reserved)[0]; got != 140 {
		t.Errorf("reserved are %d MiB at the least, want 140: 20 for the base, 40 for each", got)
	}
	view := w.View()
	asKept(w)(&view)
	if got := wholeMiB(w.Ledger.Snapshot().Accounts(view).Pull(w.Row("a"), w.Ref("app")).Disk)[0]; got != 10 {
		t.Errorf("one more upon the base adds %d MiB at the least, want 10", got)
	}
}

func TestReclaimableIsWhatOnlyUnusedImagesHave(t *testing.T) {
	tests := map[string]struct {
		build func(*lt.World)
		want  [3]int64
	}{
		"nobody uses either": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3000*mib), lt.Lists("one=31457280", "two=41943040"))
		}, [3]int64{120, 120, 120}},
		"one is used, and shares the base": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3000*mib), lt.Lists("one=31457280", "two=41943040"))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "one"))
		}, [3]int64{60, 60, 60}},
		"an image is used that may share anything": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3000*mib), lt.Lists("stranger=99999999", "two=41943040"))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "stranger"))
		}, [3]int64{0, 80, 80}},
		"an image is used that is too small for all but the base": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3000*mib), lt.Lists("stranger=11000000", "two=41943040"))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "stranger"))
		}, [3]int64{60, 80, 80}},
		"a used image is not listed yet": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3000*mib), lt.Lists("two=41943040"))
			w.Pod("p", lt.On("a"), lt.Runs(w.Now, "one"))
		}, [3]int64{60, 60, 60}},
		"there is less on the disk than that": {func(w *lt.World) {
			w.Node("a", lt.Disk(4000*mib, 3960*mib), lt.Lists("one=31457280", "two=41943040"))
		}, [3]int64{40, 40, 40}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			layered(w, "one", "ab", 10, 20)
			layered(w, "two", "ac", 10, 30)
			test.build(w)
			if diff := cmp.Diff(test.want, wholeMiB(w.Account("a", asKept(w)).Reclaimable)); diff != "" {
				t.Errorf("reclaimable, MiB (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReclaimableFollowsTheRegistry makes sure that what readers have worked out is
// not kept longer than it holds.
func TestReclaimableFollowsTheRegistry(t *testing.T) {
	w := lt.New(t)
	layered(w, "two", "ac", 10, 30)
	w.Node("a", lt.Disk(4000*mib, 3000*mib), lt.Lists("one=31457280", "two=41943040"))
	w.Pod("p", lt.On("a"), lt.Runs(w.Now, "one"))
	before := w.Ledger.Snapshot()
	view := w.View()
	asKept(w)(&view)
	row, _ := before.Node("a")
	if got := wholeMiB(before.Account(row, view).Reclaimable); got != [3]int64{30, 80, 80} {
		t.Errorf("before the layers of the other are known, %v MiB", got)
	}
	layered(w, "one", "ab", 10, 20)
	if got := wholeMiB(w.Account("a", asKept(w)).Reclaimable); got != [3]int64{60, 60, 60} {
		t.Errorf("after that, %v MiB", got)
	}
	if got := wholeMiB(before.Account(row, view).Reclaimable); got != [3]int64{30, 80, 80} {
		t.Errorf("the snapshot from before says %v MiB now", got)
	}
}
