// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

func TestTiers(t *testing.T) {
	declare := func(v *ledger.View) { v.DeclaredBytes = func(*ledger.NodeRow) int64 { return 800 } }
	tests := map[string]struct {
		options []lt.NodeOption
		age     time.Duration
		view    func(*ledger.View)
		want    ledger.Account
	}{
		"a fresh sample": {
			options: []lt.NodeOption{lt.Disk(1000, 300), lt.EphemeralStorage(5000)},
			age:     90 * time.Second, view: declare,
			want: ledger.Account{Tier: ledger.Measured, CapacityBytes: 1000, Measured: exactly(300), GCLineBytes: 160, EvictionLineBytes: 150, EvictionTargetBytes: 150},
		},
		"a stale sample, and the policy declares": {
			options: []lt.NodeOption{lt.Disk(1000, 300), lt.Lists("x=100", "y=50")},
			age:     91 * time.Second, view: declare,
			want: ledger.Account{Tier: ledger.Declared, Stale: true, CapacityBytes: 800, Measured: between(0, 650, 700), GCLineBytes: 128, EvictionLineBytes: 120, EvictionTargetBytes: 120},
		},
		"an old sample of a disk with much room": {
			options: []lt.NodeOption{lt.Disk(1000<<30, 970<<30)},
			age:     8 * 90 * time.Second, view: declare,
			want: ledger.Account{
				Tier: ledger.Measured, Old: true, CapacityBytes: 1000 << 30, Measured: exactly(970 << 30),
				GCLineBytes: 160 << 30, EvictionLineBytes: 161_061_280_000, EvictionTargetBytes: 161_061_280_000,
			},
		},
		"a stale sample of a disk with much room": {
			options: []lt.NodeOption{lt.Disk(1000<<30, 970<<30)},
			age:     8*90*time.Second + 8, view: declare,
			want: ledger.Account{Tier: ledger.Declared, Stale: true, CapacityBytes: 800, Measured: between(0, 800, 800), GCLineBytes: 128, EvictionLineBytes: 120, EvictionTargetBytes: 120},
		},
		"no sample, and ephemeral-storage": {
			options: []lt.NodeOption{lt.EphemeralStorage(2000), lt.Lists("x=100")},
			want:    ledger.Account{Tier: ledger.Assumed, CapacityBytes: 2000, Measured: between(0, 1900, 1900), GCLineBytes: 320, EvictionLineBytes: 300, EvictionTargetBytes: 300},
		},
		"nothing": {want: ledger.Account{Tier: ledger.NoTier}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			w.Node("a", append(test.options, lt.Lines(ledger.DefaultLines()))...)
			w.Advance(test.age)
			got := w.Account("a", func(v *ledger.View) {
				v.MaxStaleness = 90 * time.Second
				if test.view != nil {
					test.view(v)
				}
			})
			if strings.Contains(name, "sample,") || strings.HasPrefix(name, "nothing") {
				test.age = min(test.age, got.SampleAge)
			}
			if got.SampleAge != test.age {
				t.Errorf("age %v, want %v", got.SampleAge, test.age)
			}
			got.SampleAge, got.Available, got.Reclaimable, got.LinesAssumed = 0, estimate.Bytes{}, estimate.Bytes{}, false
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPresence(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("ab", 32)
	other := "@sha256:" + strings.Repeat("cd", 32)
	crowd := "x" + digest + strings.Repeat("|x"+other, 4)
	tests := map[string]struct {
		node  []lt.NodeOption
		build func(w *lt.World)
		ref   string
		want  ledger.Presence
	}{
		"listed":                                   {node: []lt.NodeOption{lt.Lists("x=10")}, ref: "docker.io/library/x:latest", want: ledger.Present},
		"its digest is listed for another name":    {node: []lt.NodeOption{lt.Lists("mirror.example/x" + digest + "=10")}, ref: "x" + digest, want: ledger.Present},
		"not listed":                               {node: []lt.NodeOption{lt.Lists("y=10")}, ref: "x", want: ledger.Absent},
		"an empty list":                            {ref: "x", want: ledger.Absent},
		"a nil list":                               {node: []lt.NodeOption{lt.ListsNothing()}, ref: "x", want: ledger.PresenceUnsure},
		"a cut list, and nobody knows the size":    {node: []lt.NodeOption{lt.Lists("y=10"), lt.ListCap(1)}, ref: "x", want: ledger.PresenceUnsure},
		"a cut list, and larger than the smallest": {node: []lt.NodeOption{lt.Lists("y=10"), lt.ListCap(1)}, build: func(w *lt.World) { w.Registry("x", 11) }, ref: "x", want: ledger.Absent},
		"a cut list, and as large as the smallest": {node: []lt.NodeOption{lt.Lists("y=10"), lt.ListCap(1)}, build: func(w *lt.World) { w.Registry("x", 10) }, ref: "x", want: ledger.PresenceUnsure},
		"a cut list of another unit":               {node: []lt.NodeOption{lt.Lists("y=10"), lt.ListCap(1), lt.Runtime(imagesize.CRIO)}, build: func(w *lt.World) { w.Registry("x", 11) }, ref: "x", want: ledger.PresenceUnsure},
		"a cut list, and another node reports it":  {node: []lt.NodeOption{lt.Lists("y=10"), lt.ListCap(1)}, build: func(w *lt.World) { w.Node("b", lt.Lists("x=11")) }, ref: "x", want: ledger.Absent},
		"a cut list, and a tag that moved to less": {node: []lt.NodeOption{lt.Lists("y=10"), lt.ListCap(1)}, build: func(w *lt.World) { w.Node("b", lt.Lists("x=11")); w.Registry("x", 9) }, ref: "x", want: ledger.PresenceUnsure},
		"a list without a cap":                     {node: []lt.NodeOption{lt.Lists("y=10"), lt.ListCap(-1)}, ref: "x", want: ledger.Absent},
		"a tag that may have been cut off":         {node: []lt.NodeOption{lt.Lists(crowd + "=10")}, ref: "x:1", want: ledger.PresenceUnsure},
		"a tag of another repository":              {node: []lt.NodeOption{lt.Lists(crowd + "=10")}, ref: "z:1", want: ledger.Absent},
		"a pod has pulled it":                      {build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x")) }, ref: "x", want: ledger.Present},
		"a finished pod had it":                    {build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x"), lt.Finished()) }, ref: "x", want: ledger.PresenceUnsure},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			w.Node("a", test.node...)
			if test.build != nil {
				test.build(w)
			}
			if got := w.Row("a").Presence(w.Ref(test.ref)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestWhatASampleRulesOut asks node "a", whose list says nothing and of whose 1000
// bytes 100 are in use, for the image x of 101.
func TestWhatASampleRulesOut(t *testing.T) {
	tests := map[string]struct {
		build func(w *lt.World)
		view  func(*ledger.View)
		want  ledger.Presence
	}{
		"more than all that is in use":            {want: ledger.Absent},
		"as much":                                 {build: func(w *lt.World) { w.Sample("a", 899) }, want: ledger.PresenceUnsure},
		"a sample that is stale":                  {build: func(w *lt.World) { w.Advance(2 * time.Second) }, view: func(v *ledger.View) { v.MaxStaleness = time.Second }, want: ledger.PresenceUnsure},
		"one that pods may have outlived":         {build: func(w *lt.World) { w.Advance(2 * time.Minute) }, want: ledger.PresenceUnsure},
		"one that pods can't have outlived":       {build: func(w *lt.World) { w.Advance(2*time.Minute - 1) }, want: ledger.Absent},
		"one that makes no sense":                 {build: func(w *lt.World) { w.Sample("a", 1001) }, want: ledger.PresenceUnsure},
		"none":                                    {build: func(w *lt.World) { w.Ledger.ForgetMeasurement("a") }, want: ledger.PresenceUnsure},
		"a pod there wants it":                    {build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("x")) }, want: ledger.PresenceUnsure},
		"a pod there wants another":               {build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Wants("y")) }, want: ledger.Absent},
		"a pod there runs it":                     {build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x")) }, want: ledger.Present},
		"a finished pod had it":                   {build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x"), lt.Finished()) }, want: ledger.PresenceUnsure},
		"a finished pod had another":              {build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Runs(w.Now, "y"), lt.Finished()) }, want: ledger.Absent},
		"a pod that is gone had it":               {build: func(w *lt.World) { w.Pod("p", lt.On("a"), lt.Runs(w.Now, "x")); w.Delete("p") }, want: ledger.PresenceUnsure},
		"it is listed, and can't be that large":   {build: func(w *lt.World) { w.Node("a", lt.Lists("x=101")) }, want: ledger.Present},
		"a list that was cut says less than that": {build: func(w *lt.World) { w.Node("a", lt.Lists("y=500"), lt.ListCap(1)) }, want: ledger.Absent},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			w.Registry("x", 101)
			w.Node("a", lt.Disk(1000, 900), lt.ListsNothing())
			w.Advance(1)
			if test.build != nil {
				test.build(w)
			}
			view := w.View()
			if test.view != nil {
				test.view(&view)
			}
			view.Now = view.Now.Add(-1) // So that a sample of the beginning is as old as Advance says.
			if got := w.Ledger.Snapshot().Accounts(view).Presence(w.Row("a"), w.Ref("x")); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestHugeSizesDoNotOverflow(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	huge := func() int64 {
		return [...]int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 / 2, 1, 0, -1, math.MinInt64}[random.IntN(7)]
	}
	for range 3000 {
		w := lt.New(t)
		w.Node("a", lt.Disk(max(huge(), 1), huge()), lt.EphemeralStorage(huge()), lt.Lists("x=9223372036854775807", "y=9223372036854775806"))
		w.Pod("p", lt.On("a"), lt.Wants("b", "c"))
		w.Advance(time.Second)
		w.Sample("a", huge())
		w.Pod("q", lt.On("a"), lt.Wants("d"))
		w.Pod("r", lt.Wants("e"), lt.Selects("kubernetes.io/hostname=a"))
		w.Advance(time.Second)
		w.Sample("a", huge())
		got := w.Account("a", func(v *ledger.View) {
			v.Size = func(*ledger.NodeRow, imageref.Ref, imagesize.There) imagesize.Size {
				return imagesize.Size{Disk: estimate.Bytes{Low: huge(), Likely: huge(), High: huge()}, Source: imagesize.SourceNode}
			}
		})
		for _, b := range []estimate.Bytes{got.Measured, got.Settled, got.Pending, got.Reserved, got.Available, got.Reclaimable} {
			if b.Low > b.Likely || b.Likely > b.High {
				t.Fatalf("out of order: %+v", got)
			}
		}
		for _, b := range []estimate.Bytes{got.Settled, got.Pending, got.Reserved, got.Reclaimable} {
			if b.Low < 0 {
				t.Fatalf("negative: %+v", got)
			}
		}
		if got.Available.High > got.Measured.High {
			t.Fatalf("more available than measured: %+v", got)
		}
	}
}

func TestNodesComeByName(t *testing.T) {
	w := lt.New(t)
	random := rand.New(rand.NewPCG(5, 6))
	var want []string
	for range 2000 {
		name := string(rune('a'+random.IntN(26))) + string(rune('a'+random.IntN(26))) + string(rune('a'+random.IntN(2)))
		i, known := slices.BinarySearch(want, name)
		uid := lt.NodeUID("") // The same name may come again.
		switch {
		case random.IntN(3) > 0:
			w.Node(name, uid)
			if !known {
				want = slices.Insert(want, i, name)
			}
		case known:
			w.Ledger.DeleteNode(name, "")
			want = slices.Delete(want, i, i+1)
		}
	}
	var got []string
	s := w.Ledger.Snapshot()
	for row := range s.Nodes() {
		got = append(got, row.Name)
		if found, _ := s.Node(row.Name); found == nil || found.Name != row.Name {
			t.Errorf("node %q is not found", row.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || s.Len() != len(want) {
		t.Errorf("%d nodes (-want +got):\n%s", s.Len(), diff)
	}
	if _, found := s.Node("nobody"); found {
		t.Error("found a node that does not exist")
	}
}
