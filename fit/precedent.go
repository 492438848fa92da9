// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"hash/maphash"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// What a fleet has decided about one pod holds for all others of its kind, as long as nothing has changed: a workload that scales
// up makes hundreds in a moment. It is remembered from the second one on, as most kinds come once in the life of a fleet. So many
// kinds are remembered.
const precedentSets, precedentWays = 64, 4

// precedent is a decision, and all that it depends on besides the fleet.
type precedent struct {
	namespace string
	mode      policy.Mode
	question  *question
	audience  *audience
	decision  Decision
	// best is the node that the decision is about, if it is about one: only the age of its sample changes with time.
	best ledger.RowID
	node bool
}

func (p *precedent) is(namespace string, mode policy.Mode, q *question, of *audience) bool {
	return p.question == q && p.audience == of && p.namespace == namespace && p.mode == mode
}

// recall makes d the decision about pods of this kind, where it has been made.
func (c *scan) recall(d *Decision) bool {
	if !c.memorable(d) {
		return false
	}
	known, h := c.memo.precedents, c.precedentHash(d)
	for place, to := known.set(h); place < to; place++ {
		p := known.at(place, h)
		if p == nil || !p.is(c.request.Namespace, d.Mode, c.question, c.audience) {
			continue
		}
		ignored, invalid := d.ModeIgnored, d.Invalid
		*d = p.decision
		d.ModeIgnored, d.Invalid = ignored, invalid
		if p.node {
			row := c.snapshot.Row(p.best)
			d.Best.Account.SampleAge = ledger.AgeOf(&row, c.now)
		}
		return true
	}
	return false
}

// remember keeps a decision for the next pod of this kind.
func (c *scan) remember(d *Decision) {
	if !c.memorable(d) {
		return
	}
	h := c.precedentHash(d)
	if !c.memo.precedents.again(h) {
		return
	}
	p := &precedent{namespace: c.request.Namespace, mode: d.Mode, question: c.question, audience: c.audience, decision: *d}
	p.decision.ModeIgnored = ""
	if d.Best.Node != "" {
		place, found := c.find(d.Best.Node)
		if !found {
			return
		}
		p.best, p.node = c.at(place).id, true
	}
	c.memo.precedents.put(h, p)
}

// memorable reports whether the decision depends on nothing but what a precedent has. What exceptions say depends on labels and on
// the time.
func (c *scan) memorable(d *Decision) bool {
	return c.nanos < c.until && c.request.Workload == nil && len(d.Invalid) == 0 && len(c.policy.Exceptions) == 0 && !c.audience.named
}

func (c *scan) precedentHash(d *Decision) uint64 {
	return c.question.hash*31 + c.audience.hash*37 + maphash.String(c.memo.seed, c.request.Namespace)*41 + uint64(len(d.Mode))
}
