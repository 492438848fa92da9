// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

// champion is the best node so far of those with one verdict.
type champion struct {
	set       bool
	slack     int64
	name      string
	block, at int
	// looked is set for a node that was looked at, reply for others.
	looked *ranked
	reply  *reply
}

// beatenBy reports whether a node is better that has so much slack. Where it is so much at most, and the name one that is not after
// its own, it may be.
func (w *champion) beatenBy(slack int64, name string) bool {
	return !w.set || slack > w.slack || slack == w.slack && name < w.name
}

// best finds the best of a set of nodes, of which some have the likely verdict of that severity and none a milder one.
func (c *scan) best(found *ranked, of []uint64, severity int) {
	var w champion
	for i := range c.spans {
		s := &c.spans[i]
		if !s.odd && c.nanos < s.until && (severity > 0 || !s.blind) && !w.beatenBy(s.mostRoom(severity)+c.spareOf(s.class), s.first) {
			continue
		}
		for k := s.from; k < s.to; k++ {
			if of[k] != 0 {
				c.bestOf(&w, k, of[k], severity)
			}
		}
	}
	if w.looked != nil {
		*found = *w.looked
		return
	}
	result, expected := c.result(c.block(w.block), w.at, w.reply)
	result.Likely = c.audience.ready[w.block]&(1<<w.at) != 0
	*found = rank(&result, result.LikelyVerdict, expected)
}

// mostRoom is the most room before a severity that some node may have, without any load.
func (s *sums) mostRoom(severity int) int64 {
	none := load{}
	return max(s.bounds.most[likelyScenario].room(severity, &none), s.claims.most[likelyScenario].room(severity, &none))
}

func (c *scan) bestOf(w *champion, i int, set uint64, severity int) {
	if b := c.blocks[i]; c.noneBeats(w, b, set, severity, c.spareOf(b.class)) {
		return
	}
	b := c.block(i)
	if c.noneBeats(w, b, set, severity, 0) {
		return
	}
	odd := c.odd(b) & set
	for at := range places(odd) {
		c.bestLooked(w, i, at, severity)
	}
	known := c.replies(i)
	for k := range known.parts {
		p := &known.parts[k]
		of := p.set & set &^ odd
		if !p.nothing {
			of &^= b.blind()
		}
		if of != 0 {
			c.bestOfPart(w, i, p, of, severity)
		}
	}
}

// noneBeats reports whether no node of a set is better, though so much more may be available.
func (c *scan) noneBeats(w *champion, b *block, set uint64, severity int, spare int64) bool {
	return c.odd(b)&set == 0 && (severity > 0 || set&b.blind() == 0) && !w.beatenBy(b.mostRoom(severity)+spare, b.first)
}

func (c *scan) bestOfPart(w *champion, i int, p *part, set uint64, severity int) {
	b, load := c.block(i), &p.loads[likelyScenario]
	if p.sound {
		if p.nothing && severity > 0 || p.demand.unsized && severity < c.warn {
			return // Such nodes have another verdict, or none.
		}
		if alike := set &^ b.claimed &^ b.blind(); !w.beatenBy(b.bounds.most[likelyScenario].room(severity, load)-load.need, b.first) {
			set &^= alike
		}
	}
	for at := range places(set) {
		if !p.sound {
			c.bestLooked(w, i, at, severity)
			continue
		}
		k, name := &b.standing(at).keys[likelyScenario], b.ground(at).name
		if slack := k.room(severity, load) - load.need; w.beatenBy(slack, name) && k.severity(load) == severity {
			*w = champion{set: true, slack: slack, name: name, block: i, at: at, reply: p.reply}
		}
	}
}

func (c *scan) bestLooked(w *champion, i, at, severity int) {
	result, _, expected := c.look(c.blocks[i], at)
	result.Likely = c.audience.ready[i]&(1<<at) != 0
	one := rank(&result, result.LikelyVerdict, expected)
	if one.verdict.Severity() == severity && w.beatenBy(one.slack, one.Node) {
		*w = champion{set: true, slack: one.slack, name: one.Node, block: i, at: at, looked: &one}
	}
}
