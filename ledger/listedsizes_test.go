// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// TestListedSizesAreKeptAsLongAsTheyHold: what one view has found out another one does not ask again, and an image that came in
// the place of one that nobody lists any more is not taken for that.
func TestListedSizesAreKeptAsLongAsTheyHold(t *testing.T) {
	l := ledger.New()
	lists := func(names ...string) {
		node := namedNode("a")
		node.Images = []ledger.ListedImage{}
		for _, name := range names {
			ref, err := imageref.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			node.Images = append(node.Images, ledger.ListedImage{Refs: []imageref.Ref{ref}, NameCount: 1, ReportedBytes: 100})
		}
		l.SetNode(node)
	}
	sizes := map[string]int64{"docker.io/library/a:latest": 100, "docker.io/library/b:latest": 200, "docker.io/library/c:latest": 400}
	asked := 0
	view := ledger.View{
		Now: start, SizeClass: func(*ledger.NodeRow) any { return "all" }, DeclaredBytes: func(*ledger.NodeRow) int64 { return 10_000 },
		Size: func(_ *ledger.NodeRow, ref imageref.Ref, _ imagesize.There) imagesize.Size {
			asked++
			return imagesize.Size{Disk: estimate.Exactly(sizes[ref.String()])}
		},
	}
	var kept ledger.ListedSizes
	for _, step := range []struct {
		what  string
		names []string
		asked int
	}{
		{"two images that nobody has asked about", []string{"a", "b"}, 2},
		{"the same ones", []string{"b", "a"}, 0},
		{"one of them", []string{"b"}, 0},
		{"a new one in the place of the other", []string{"b", "c"}, 2},
		{"all of them", []string{"b", "c", "a"}, 3},
	} {
		lists(step.names...)
		l.MarkSynced()
		s := l.Snapshot()
		row, _ := s.Node("a")
		view.Listed = nil
		want := s.Accounts(view).Of(row)
		view.Listed, asked = &kept, 0
		if diff := gocmp.Diff(want, s.Accounts(view).Of(row)); diff != "" {
			t.Errorf("%s: (-asked anew +kept):\n%s", step.what, diff)
		}
		if asked != step.asked {
			t.Errorf("%s: %d sizes are asked for, want %d", step.what, asked, step.asked)
		}
	}
	kept.Forget()
	s := l.Snapshot()
	row, _ := s.Node("a")
	if asked = 0; s.Accounts(view).Of(row).Tier != ledger.Declared || asked != 3 {
		t.Errorf("after all was forgotten, %d sizes are asked for, want 3", asked)
	}
}

// TestAPullAsksForNoSizeOfWhatIsListed: what it brings does not depend on what is measured, which takes all of them where no
// kubelet answers.
func TestAPullAsksForNoSizeOfWhatIsListed(t *testing.T) {
	l := ledger.New()
	node := namedNode("a")
	node.Images = []ledger.ListedImage{}
	var refs []imageref.Ref
	for _, name := range []string{"a", "b", "wanted"} {
		ref, err := imageref.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	for _, ref := range refs[:2] {
		node.Images = append(node.Images, ledger.ListedImage{Refs: []imageref.Ref{ref}, NameCount: 1, ReportedBytes: 100})
	}
	l.SetNode(node)
	l.MarkSynced()
	var asked []imageref.Ref
	s := l.Snapshot()
	row, _ := s.Node("a")
	pulls := s.Accounts(ledger.View{
		Now: start, Namespace: ledger.Nobody, DeclaredBytes: func(*ledger.NodeRow) int64 { return 10_000 },
		Size: func(_ *ledger.NodeRow, ref imageref.Ref, _ imagesize.There) imagesize.Size {
			asked = append(asked, ref)
			return imagesize.Size{Disk: estimate.Exactly(100)}
		},
	}).Pulls(row)
	if size := pulls.Size(refs[2], 0); size.Disk != estimate.Exactly(100) || len(asked) != 1 || asked[0] != refs[2] {
		t.Errorf("it brings %v, and the sizes of %v are asked for; want that of %v alone", size.Disk, asked, refs[2])
	}
}
