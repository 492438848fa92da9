// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

// open reports whether some node that the pod could ever land on is known not to be past denyAt, whatever sizes are not known. Then
// it is not refused, and it does not matter what becomes of the others.
func (c *scan) open() bool {
	if c.deny <= 0 {
		return false
	}
	for i := range c.spans {
		if c.openSpan(&c.spans[i]) {
			return true
		}
	}
	for i := range c.blocks {
		if c.audience.possible[i] == 0 {
			continue
		}
		b := c.block(i)
		set := c.audience.possible[i] &^ c.odd(b)
		known := c.replies(i)
		for k := range known.parts {
			if p := &known.parts[k]; p.set&set != 0 && c.openPart(b, p, p.set&set) {
				return true
			}
		}
	}
	return false
}

// openSpan looks at nodes of which none can be past the threshold, whatever they have.
func (c *scan) openSpan(s *span) bool {
	m := &c.question.most[s.class]
	load := &m.loads[atBestScenario]
	if !m.plain || s.odd || c.nanos >= s.until || s.worst(atBestScenario, load) >= c.deny {
		return false
	}
	for k := s.from; k < s.to; k++ {
		if c.audience.possible[k]&^c.blocks[k].blind() != 0 {
			return true
		}
	}
	return false
}

func (c *scan) openPart(b *block, p *part, set uint64) bool {
	if p.huge || !p.sound {
		return false
	}
	if p.nothing {
		return true
	}
	load := &p.loads[atBestScenario]
	set &^= b.blind()
	if alike := set &^ b.claimed; alike != 0 {
		if b.bounds.atWorst(atBestScenario, load) < c.deny {
			return true
		}
		if b.bounds.atBest(atBestScenario, load) >= c.deny {
			set &^= alike
		}
	}
	for at := range places(set) {
		if b.standing(at).keys[atBestScenario].severity(load) < c.deny {
			return true
		}
	}
	return false
}
