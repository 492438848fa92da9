// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

func TestMoved(t *testing.T) {
	digest := func(c string) string {
		return "app@sha256:" + c + "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	}
	tests := map[string]struct {
		listed, tag string
		told        string // digest, "" for none
		options     []lt.NodeOption
		want        ledger.Answer
	}{
		"the tag stands for what is listed":    {listed: digest("a") + "|app:v1=100", tag: "app:v1", told: digest("a"), want: ledger.No},
		"the tag stands for something else":    {listed: digest("a") + "|app:v1=100", tag: "app:v1", told: digest("b"), want: ledger.Yes},
		"no registry told":                     {listed: digest("a") + "|app:v1=100", tag: "app:v1", want: ledger.NotKnown},
		"a digest does not move":               {listed: digest("a") + "=100", tag: digest("a"), told: digest("b"), want: ledger.No},
		"the list is cut, and it may be below": {listed: digest("a") + "|app:v1=100", tag: "app:v1", told: digest("b"), options: []lt.NodeOption{lt.ListCap(1)}, want: ledger.NotKnown},
		"the node says nothing":                {listed: "x=1", tag: "app:v1", told: digest("b"), options: []lt.NodeOption{lt.ListsNothing()}, want: ledger.NotKnown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := lt.New(t)
			w.Node("a", append([]lt.NodeOption{lt.Disk(1000, 500), lt.Lists(test.listed)}, test.options...)...)
			if test.told != "" {
				w.Ledger.SetManifest(w.Ref(test.tag), lt.Linux, imagesize.Manifest{Digest: w.Ref(test.told).Digest(), CompressedBytes: 50})
			}
			if got := w.Ledger.Snapshot().Accounts(w.View()).Moved(w.Row("a"), w.Ref(test.tag)); got != test.want {
				t.Errorf("moved: %s, want %s", got, test.want)
			}
		})
	}
}
