// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/verdict"
)

// tally sums up nodes from one point of view: possible nodes at their optimistic bound, or likely ones at their likely
// value. Nodes are not kept, so that a decision costs the same memory in a cluster of any size.
type tally struct {
	threshold            verdict.Verdict
	nodes, past, unknown int
	// stale, unmeasured and unsized say why nodes are unknown.
	stale, unmeasured, unsized int
	counts                     Counts
	tier                       ledger.Tier

	// best is the best of all nodes, pastBest of those past the threshold, unknownBest of those without an opinion.
	best, pastBest, unknownBest ranked
	// worst is the worst of all nodes, one without an opinion the least bad; nil but for a template of which every node gets a
	// pod.
	worst *ranked
	// refuses counts, for templates, the nodes on which a pod would be refused that can go nowhere else.
	refuses int
	// places counts, for templates, how many replicas the nodes can hold that are not past the threshold.
	places int64
	// rooms holds, by severity, the most room before each verdict on the nodes past the threshold.
	rooms [6]room
	// least and most are the extremes of the needs on the nodes past the threshold.
	least, most amount
	// lineless counts the nodes past the threshold whose kubelet has no eviction line, short those that are past it because
	// they are short of inodes. inodes are those of the one with the largest share of them left.
	lineless, short int
	inodes          inodes
}

// inodes are those of one file system.
type inodes struct {
	free, total, line int64
}

// amount is a figure and whether there is no doubt in it.
type amount struct {
	bytes int64
	exact bool
}

// room is an amount that need not be there.
type room struct {
	amount
	known bool
}

// ranked is a node's result with what it is ranked by.
type ranked struct {
	NodeResult
	verdict verdict.Verdict
	slack   int64
	set     bool
	// lineless and short are as in tally.
	lineless, short bool
}

// add counts a node that has the verdict v by these figures.
func (t *tally) add(result *NodeResult, v verdict.Verdict, f figures, exact bool) {
	t.nodes++
	t.counts.add(v)
	if t.nodes == 1 || tierRank(result.Account.Tier) > tierRank(t.tier) {
		t.tier = result.Account.Tier
	}
	one := rank(result, v, f)
	if v.Severity() < 0 {
		t.addUnknown(&one)
	}
	t.best.offer(&one)
	if t.worst != nil {
		t.worst.offerWorse(&one)
	}
	if !v.AtLeast(t.threshold) {
		return
	}
	t.past++
	t.pastBest.offer(&one)
	t.addCauses(&one)
	t.addNeed(amount{f.need, result.Need.IsExact()}, t.past == 1)
	for severity, at := range pastVerdicts {
		t.rooms[severity+1].offer(amount{f.room(at), exact})
	}
}

var pastVerdicts = [...]verdict.Verdict{verdict.TriggersGC, verdict.PressuresDisk, verdict.EvictsPods, verdict.FillsDisk, verdict.NeverFits}

func (t *tally) addNeed(need amount, first bool) {
	switch {
	case first || need.bytes < t.least.bytes:
		t.least = need
	case need.bytes == t.least.bytes:
		t.least.exact = t.least.exact && need.exact
	}
	switch {
	case first || need.bytes > t.most.bytes:
		t.most = need
	case need.bytes == t.most.bytes:
		t.most.exact = t.most.exact && need.exact
	}
}

// offer replaces r by more room. Of several nodes with the same there may be doubt about one.
func (r *room) offer(o amount) {
	switch {
	case !r.known || o.bytes > r.bytes:
		*r = room{o, true}
	case o.bytes == r.bytes:
		r.exact = r.exact && o.exact
	}
}

func rank(result *NodeResult, v verdict.Verdict, f figures) ranked {
	return ranked{
		NodeResult: *result, verdict: v, slack: estimate.SaturatingSub(f.room(v), f.need), set: true,
		lineless: f.lineless(), short: v == verdict.PressuresDisk && f.ofBytes() != v,
	}
}

func (t *tally) addUnknown(r *ranked) {
	t.unknown++
	switch r.Why {
	case StaleSample:
		t.stale++
	case UnknownSize:
		t.unsized++
	default:
		t.unmeasured++
	}
	t.unknownBest.offer(r)
}

// addCauses counts what, besides its bytes, a node is past the threshold for.
func (t *tally) addCauses(r *ranked) {
	if r.lineless {
		t.lineless++
	}
	if !r.short {
		return
	}
	t.addShort(r.inodes())
}

func (t *tally) addShort(left inodes) {
	if t.short == 0 || left.more(t.inodes) {
		t.inodes = left
	}
	t.short++
}

// more reports whether a larger share is left, or of the same share more in figures.
func (i inodes) more(than inodes) bool {
	return cmp.Or(cmp.Compare(i.share(), than.share()), cmp.Compare(i.total, than.total), cmp.Compare(i.free, than.free), cmp.Compare(i.line, than.line)) > 0
}

func (r *ranked) inodes() inodes {
	return inodes{free: r.Account.InodesFree, total: r.Account.Inodes, line: r.Account.InodeLine}
}

func (i inodes) share() float64 { return float64(i.free) / float64(max(i.total, 1)) }

// all reports whether there are nodes and every one is past the threshold.
func (t *tally) all() bool { return t.nodes > 0 && t.past == t.nodes }

// why returns the reason that the unknown nodes give, empty where there is none.
func (t *tally) why() Reason {
	switch {
	case t.stale > 0:
		return StaleSample
	case t.unmeasured > 0:
		return NotMeasured
	case t.unsized > 0:
		return UnknownSize
	default:
		return ""
	}
}

// offer replaces r by a better result: a known verdict, a milder one, more slack, and the first name among equals.
func (r *ranked) offer(o *ranked) {
	if !r.set || better(o, r) {
		*r = *o
	}
}

func better(r, than *ranked) bool {
	switch a, b := position(r.verdict), position(than.verdict); {
	case a != b:
		return a < b
	case r.slack != than.slack:
		return r.slack > than.slack
	default:
		return r.Node < than.Node
	}
}

// tierRank orders tiers, best first.
func tierRank(t ledger.Tier) int {
	switch t {
	case ledger.Measured:
		return 0
	case ledger.Declared:
		return 1
	case ledger.Assumed:
		return 2
	case ledger.NoTier:
		return 3
	default:
		return 3
	}
}
