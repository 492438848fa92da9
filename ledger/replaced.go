// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

// Replaced is a node whose row is another one than before.
type Replaced struct {
	// Place is the node's by name, from 0.
	Place int
	Row   NodeRow
}

// ReplacedSince returns the nodes whose rows are others than in an earlier snapshot of the same ledger, by name. It costs little
// for all others. It is false where nodes have come or gone since.
func (s *Snapshot) ReplacedSince(before *Snapshot) (all []Replaced, same bool) {
	if s.rows.count != before.rows.count || len(s.rows.chunks) != len(before.rows.chunks) {
		return nil, false
	}
	from := 0
	for i, chunk := range s.rows.chunks {
		was := before.rows.chunks[i]
		if len(was) != len(chunk) {
			return nil, false
		}
		if &was[0] != &chunk[0] {
			for k, r := range chunk {
				switch {
				case r == was[k]:
				case r.node.Name != was[k].node.Name:
					return nil, false
				default:
					all = append(all, Replaced{from + k, NodeRow{Node: r.node, row: r, snapshot: s}})
				}
			}
		}
		from += len(chunk)
	}
	return all, true
}
