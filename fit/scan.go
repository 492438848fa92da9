// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"sync"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/verdict"
)

// scan is one evaluation on a fleet under way. Nodes are judged together, block by block: those of a block that need the same have
// the same verdict where the least of their keys give the same as the greatest. Only the others are looked at one by one.
type scan struct {
	*Fleet

	request  Request
	images   []imageref.Image
	question *question
	audience *audience
	now      time.Time
	nanos    int64
	// deny and warn are the severities from which on nodes are past the thresholds.
	deny, warn int
	// perspective is nil where all nodes are for this pod what they are for nobody. Spare is, by class, how much more than for nobody
	// may likely be available for it because others wait for the same images, nil where nobody does.
	perspective *perspective
	spare       []int64
	// asker, perceiver and apart are made when they are first needed: apart looks at nodes one by one.
	asker     *asker
	perceiver *perceiver
	apart     *survey
	// said is what a pod that is let through is decided by, kept for the next one: nil before the first.
	said *survey
}

// scans keeps what is under way no more for the next: a decision should leave nothing behind to clear away.
var scans = sync.Pool{New: func() any { return new(scan) }} //nolint:gochecknoglobals // it holds nothing that matters

// begin is false for requests that are not for a fleet.
func (c *scan) begin(f *Fleet, r *Request, now time.Time) bool {
	c.Fleet, c.request, c.now, c.nanos = f, *r, now, now.UnixNano()
	c.deny, c.warn = f.policy.DenyAt.Severity(), warnAt(f.policy).Severity()
	if c.nanos < f.built || !f.fits(r) {
		return false
	}
	c.images = r.appendWanted(c.images[:0])
	if c.question = f.question(c.images); c.question.unfit {
		return false
	}
	c.audience = f.audience(r.Placement)
	return true
}

// compare finds out whether some node may be another one for this pod than for nobody.
func (c *scan) compare() {
	_, concerned := c.claimedFor[c.request.Namespace]
	for i := range c.images {
		_, claimed := c.claimed[c.images[i].Ref]
		concerned = concerned || claimed
	}
	for i := range c.images {
		expected, wanted := c.snapshot.Expected(c.images[i].Ref)
		if !wanted {
			continue
		}
		if c.spare == nil {
			c.spare = make([]int64, len(c.classes))
		}
		for class, key := range c.classes {
			size := min(c.question.sizes.classes[key].wanted[i].Disk.AtLeastZero().Likely, endless)
			c.spare[class] = estimate.SaturatingAdd(c.spare[class], int64(float64(size)*min(expected, 1))+1)
		}
	}
	if concerned || c.spare != nil {
		c.perspective = c.perspectiveOf(c.question, c.request.Namespace)
	}
}

// spareOf is spare of a class.
func (c *scan) spareOf(class int) int64 {
	if c.spare == nil {
		return 0
	}
	return min(c.spare[class], endless>>2)
}

// end forgets all that it would keep in memory.
func (c *scan) end() {
	clear(c.images)
	if c.said != nil && c.said.snapshot != nil {
		*c.said = survey{}
	}
	*c = scan{images: c.images[:0], said: c.said}
	scans.Put(c)
}

// survey finds out what the decision rests on. It is false where pods that wait may matter to that.
func (c *scan) survey() (v *survey, whole bool) {
	waits, template := c.waits[c.request.Namespace], c.request.Workload != nil
	heed := waits.eager && c.deny < verdict.NeverFits.Severity()
	open := c.open()
	switch {
	case open && heed && !c.plenty(waits.bytes):
		return nil, false
	case open && !template && c.light():
		return c.said, true
	}
	if !template {
		v, whole = c.heavy(open)
	}
	if !whole {
		v = c.all()
	}
	// Where there is plenty, where no node is left that could hold the pod, and where some are not known, those who wait don't matter.
	return v, !heed || open || v.possible.past == v.possible.nodes || v.possible.unknown > 0
}

// ready returns the nodes that a warning is about, see scope.
func (c *scan) scope() []uint64 {
	if c.audience.readyCount > 0 {
		return c.audience.ready
	}
	return c.audience.possible
}

// light finds out about a pod that is not refused, and is false for one that may be warned about.
func (c *scan) light() bool {
	of := c.scope()
	n, sure := c.count(of)
	mildest := n.mildest()
	if past := n.past(c.warn); !sure || mildest < 0 || mildest >= c.warn || past > n.nodes-past {
		return false
	}
	if c.said == nil {
		c.said = new(survey)
	}
	v := c.said
	v.snapshot, v.policy, v.request, v.images, v.huge = c.snapshot, c.policy, &c.request, c.question.images, &never
	v.begin()
	v.possible.nodes, v.ready.nodes = c.audience.possibleCount, c.audience.readyCount
	if n.unsizedImages != 0 {
		v.unsized = make([]bool, len(v.images))
		mark(v.unsized, n.unsizedImages)
	}
	t := v.scope()
	n.tell(t, c.warn)
	c.best(&t.best, of, mildest)
	return true
}

// all takes every node into account that the pod could ever land on.
func (c *scan) all() *survey {
	r := c.request
	v := newSurvey(c.snapshot, &r, c.policy, c.now)
	v.autoscaled, v.inhabited = &c.autoscaled, c.inhabited
	if !c.anyOdd && c.nanos < c.until {
		v.widest = c.widest
	}
	for i := range c.blocks {
		b := c.block(i)
		odd := c.odd(b)
		for at := range places(c.audience.possible[i]) {
			ready, row := c.audience.ready[i]&(1<<at) != 0, c.snapshot.Row(b.ground(at).id)
			if odd&(1<<at) != 0 {
				v.add(&row, ready)
				continue
			}
			known := c.replies(i)
			one := known.parts[known.by[at]].reply
			result, expected := c.result(b, at, one)
			result.Likely = ready
			mark(v.missing, one.missing)
			mark(v.unsized, one.unsized)
			mark(v.waitFor, one.waitFor)
			class := v.sizes.classOf(&row)
			if one.waitFor != 0 {
				v.platforms[class.platform] = true
			}
			v.mostNeeded = max(v.mostNeeded, one.need.Likely)
			v.take(&row, class, &result, &one.demand, expected)
		}
	}
	return v
}

// never is for survey.huge: nobody writes to it.
var never = false //nolint:gochecknoglobals // its address is what is needed

// replies returns what the nodes of a block need.
func (c *scan) replies(i int) *replies {
	b := c.blocks[i]
	if known := c.question.replies[i].Load(); known != nil && known.serial == b.serial {
		return known
	}
	if c.asker == nil {
		c.asker = newAsker(c.Fleet, c.question)
	}
	return c.asker.ask(i)
}

// odd are the nodes of a block that have to be looked at one by one, whatever the pod.
func (c *scan) odd(b *block) uint64 {
	set := b.odd
	if c.nanos < b.until {
		return set
	}
	for at := range places(b.nodes) {
		if c.nanos >= b.ground(at).until {
			set |= 1 << at
		}
	}
	return set
}

// look judges one node for this very pod.
func (c *scan) look(b *block, at int) (NodeResult, demand, figures) {
	if c.apart == nil {
		r := c.request
		c.apart = newSurvey(c.snapshot, &r, c.policy, c.now)
	}
	row := c.snapshot.Row(b.ground(at).id)
	return c.apart.judge(&row, c.apart.sizes.classOf(&row), warnAt(c.policy))
}

// result is what look returns, by what is known of the node.
func (c *scan) result(b *block, at int, of *reply) (NodeResult, figures) {
	g := b.ground(at)
	account := g.accountAt(c.snapshot, b.standing(at).reserved, c.now)
	return judge(g.name, &account, of.demand, g.margin, warnAt(c.policy), c.policy.DenyAt), likely(of.demand, g.margin, &account)
}
