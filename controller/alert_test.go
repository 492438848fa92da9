// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

func listing(uid string, sizes ...int64) ledger.Node {
	row := ledger.Node{Node: placement.Node{Name: "a"}, Images: []ledger.ListedImage{}}
	row.UID = "uid-" + "1"
	if uid != "" {
		row.UID = "uid-2"
	}
	for _, size := range sizes {
		row.Images = append(row.Images, ledger.ListedImage{ReportedBytes: size})
	}
	return row
}

func TestAlertSaysOldAndNew(t *testing.T) {
	const mi, gi = int64(1) << 20, int64(1) << 30
	use := func(available, capacity int64) func(a *Alert) {
		return func(a *Alert) {
			a.Sampled("a", ledger.Measurement{NodeUID: "uid-1", CapacityBytes: capacity, AvailableBytes: available}, ledger.Lines{})
		}
	}
	list := func(row ledger.Node) func(a *Alert) { return func(a *Alert) { a.NodeSet(nil, row) } }
	for name, test := range map[string]struct {
		do   []func(a *Alert)
		want []string
	}{
		"the first sight is no change": {do: []func(*Alert){list(listing("", gi)), use(gi, 2*gi)}},
		"an image came": {
			do:   []func(*Alert){list(listing("", gi)), list(listing("", gi, 200*mi))},
			want: []string{`"node"="a" "what"="images listed" "old"="1 image, 1Gi" "new"="2 images, 1.2Gi" "change"="+200Mi"`},
		},
		"an image went, the last one": {
			do:   []func(*Alert){list(listing("", gi)), list(listing(""))},
			want: []string{`"node"="a" "what"="images listed" "old"="1 image, 1Gi" "new"="0 images, 0" "change"="-1Gi"`},
		},
		"the same list again":           {do: []func(*Alert){list(listing("", gi, mi)), list(listing("", gi, mi))}},
		"no list says nothing":          {do: []func(*Alert){list(listing("", gi)), list(ledger.Node{Node: placement.Node{Name: "a"}, UID: "uid-1"}), list(listing("", gi))}},
		"another node of the same name": {do: []func(*Alert){list(listing("", gi)), list(listing("other"))}},
		"a node that was deleted": {do: []func(*Alert){
			list(listing("", gi)), func(a *Alert) { a.NodeDeleted("a", "uid-1") }, list(listing("")),
		}},
		"a deletion of another node of that name": {
			do:   []func(*Alert){list(listing("", gi)), func(a *Alert) { a.NodeDeleted("a", "uid-0") }, list(listing(""))},
			want: []string{`"node"="a" "what"="images listed" "old"="1 image, 1Gi" "new"="0 images, 0" "change"="-1Gi"`},
		},
		"measured use grew": {
			do:   []func(*Alert){use(1800*mi, 2*gi), use(1400*mi, 2*gi)},
			want: []string{`"node"="a" "what"="measured use" "old"="250Mi" "new"="650Mi" "change"="+400Mi" "available"="1.4Gi" "capacity"="2Gi"`},
		},
		"small steps add up": {
			do:   []func(*Alert){use(1800*mi, 2*gi), use(1760*mi, 2*gi), use(1735*mi, 2*gi), use(1720*mi, 2*gi)},
			want: []string{`"node"="a" "what"="measured use" "old"="250Mi" "new"="310Mi" "change"="+65Mi" "available"="1.7Gi" "capacity"="2Gi"`},
		},
		"less than a percent of a large disk": {do: []func(*Alert){use(500*gi, 1000*gi), use(491*gi, 1000*gi), use(509*gi, 1000*gi)}},
	} {
		t.Run(name, func(t *testing.T) {
			log, logged := logTo()
			a := NewAlert(log)
			for _, do := range test.do {
				do(a)
			}
			var got []string
			for line := range strings.Lines(logged.String()) {
				_, rest, _ := strings.Cut(strings.TrimSpace(line), `"msg"="Image storage changed" `)
				got = append(got, rest)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
			if listed, measured := a.Changes(); listed+measured != uint64(len(test.want)) {
				t.Errorf("counted %d and %d changes, want %d", listed, measured, len(test.want))
			}
		})
	}
}
