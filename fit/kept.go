// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"sync/atomic"

	"github.com/headroom-dev/headroom/verdict"
)

// kept are sentences about pods that are let through: to write one takes longer than to decide. A nil one keeps none.
type kept struct {
	sentences [64]atomic.Pointer[keptSentence]
}

type keptSentence struct {
	about about
	said  string
}

// about is all that such a sentence says.
type about struct {
	verdict                            verdict.Verdict
	nodes                              int
	node                               string
	needLikely, slack                  int64
	needExact, exact, unready          bool
	short, lineless, collects, numbers bool
	inodes                             inodes
}

// aboutBest is what allowed says of a tally.
func (w sentences) aboutBest(t *tally, unready bool) about {
	best := &t.best
	a := about{
		verdict: best.verdict, nodes: t.nodes, unready: unready, numbers: w.numbers,
		needLikely: best.Need.Likely, needExact: best.Need.IsExact(), slack: best.slack, exact: best.Account.Available.IsExact(),
		short: best.short, lineless: best.lineless, collects: best.Account.GCLineBytes > 0,
	}
	if t.nodes == 1 {
		a.node = w.single(t, unready)
	}
	if best.short {
		a.inodes = best.inodes()
	}
	return a
}

func (k *kept) at(a *about) *atomic.Pointer[keptSentence] {
	h := uint64(a.needLikely)*31 + uint64(a.slack)*37 + uint64(a.nodes)*41 //nolint:gosec // G115: any number will do
	h ^= h >> 29
	return &k.sentences[h%uint64(len(k.sentences))]
}

func (k *kept) find(a *about) (said string, found bool) {
	if k == nil {
		return "", false
	}
	if s := k.at(a).Load(); s != nil && s.about == *a {
		return s.said, true
	}
	return "", false
}

func (k *kept) keep(a *about, said string) {
	if k != nil {
		k.at(a).Store(&keptSentence{*a, said})
	}
}
