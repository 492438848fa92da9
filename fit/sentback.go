// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

// elsewhere ends every sentence about a binding that is sent back.
const elsewhere = "; another node would do"

// sentBack is for a binding that is sent back, in the words of a warning about the one node that t has.
func (w sentences) sentBack(t *tally) string {
	node := w.nodeOf(t.best.Node, "the chosen node")
	switch v := t.pastBest.verdict; {
	case !w.numbers:
		return w.line("the pod's images are too much for %s%s", node, elsewhere)
	case t.shortOfInodes():
		return w.line("%s %s: %s%s", node, t.inodes.lack(), t.inodes.harm(), elsewhere)
	default:
		return w.line("needs %s; %s has %s %s%s%s", t.needs(), node, t.rooms[v.Severity()].orNo(), t.limit(), t.cause(), elsewhere)
	}
}
