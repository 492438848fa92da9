// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/verdict"
)

const (
	// maxRunes is where the API server cuts a warning.
	maxRunes = 256
	// maxShown is how much of a name a sentence holds, in runes.
	maxShown = 63
)

// limits says, by severity, which line the pod is held against: "needs 10Gi; the node has 3Gi ...".
var limits = [...]string{
	"",
	"before unused images are trimmed",
	"before disk pressure",
	"before pods are evicted",
	"even without unused images",
	"even on an empty disk",
}

// harms says, by severity, what would happen.
var harms = [...]string{
	"nothing would happen",
	"unused images would be trimmed",
	"disk pressure would keep pods away",
	"pods would be evicted",
	"the pull would fill the disk",
	"the disk is too small",
}

// limit says which line the nodes past the threshold are held against.
func (t *tally) limit() string {
	if t.runsDry() {
		return "before the disk is full"
	}
	return limits[t.pastBest.verdict.Severity()]
}

// runsDry reports whether what is past the threshold is a full disk that no kubelet does anything about.
func (t *tally) runsDry() bool {
	return t.pastBest.verdict == verdict.FillsDisk && t.lineless == t.past
}

// cause ends a sentence about the nodes past the threshold with why nothing helps there.
func (t *tally) cause() string {
	if t.runsDry() {
		return noLine(t.past == 1)
	}
	return ""
}

func noLine(one bool) string {
	if one {
		return "; its kubelet has no eviction threshold for images"
	}
	return "; their kubelets have no eviction threshold for images"
}

// harm says what would happen on one node, and why nothing helps.
func (r *ranked) harm() string {
	harm := harms[max(r.verdict.Severity(), 0)]
	switch {
	case r.short:
		return harm + ": it " + r.inodes().lack()
	case r.verdict == verdict.FillsDisk && r.lineless:
		return harm + noLine(true)
	default:
		return harm
	}
}

// shortOfInodes reports whether all that is wrong with the nodes past the threshold is that inodes are short.
func (t *tally) shortOfInodes() bool { return t.short > 0 && t.short == t.past }

// lack says what is the matter with the inodes of one node.
func (i inodes) lack() string { return i.sentence("is", "") }

// lacks says what is the matter with those of several; i is the one with most of them left.
func (i inodes) lacks() string { return i.sentence("are", "at most ") }

// harm says what comes of too few inodes.
func (i inodes) harm() string {
	if i.free >= i.line {
		return harms[verdict.PressuresDisk.Severity()]
	}
	return "disk pressure keeps pods away"
}

func (i inodes) sentence(verb, bound string) string {
	if i.free >= i.line {
		// It is the pod's own that are too many.
		verb = "would run"
	}
	return fmt.Sprintf("%s short of inodes (%s%d%% of %d left)", verb, bound, int(100*i.share()), i.total)
}

// aside is for nodes of which none can take a pod now.
func aside(unready bool) string {
	if unready {
		return " (all unschedulable now)"
	}
	return ""
}

// String returns the figure for people.
func (a amount) String() string {
	if a.exact {
		return estimate.Format(a.bytes)
	}
	return "~" + estimate.Format(a.bytes)
}

// text is the room there is, "none" where there is no positive one.
func (r room) text() string {
	if r.bytes <= 0 {
		return "none"
	}
	return r.String()
}

// orNo is text for where it follows "has".
func (r room) orNo() string {
	if r.bytes <= 0 {
		return "no room"
	}
	return r.String()
}

// atBest is the room there is at an optimistic bound.
func atBest(r room) string {
	switch {
	case r.bytes <= 0:
		return "no room"
	case r.exact:
		return "room for " + estimate.Format(r.bytes)
	default:
		return "room for at most " + estimate.Format(r.bytes)
	}
}

// sameNeed reports whether the need is the same on all nodes past the threshold, as far as people can see.
func (t *tally) sameNeed() bool { return t.least.String() == t.most.String() }

// needs is the need on the nodes past the threshold.
func (t *tally) needs() string {
	if t.sameNeed() {
		return t.least.String()
	}
	return t.least.String() + " to " + t.most.String()
}

// single names the only node of t.
func (w sentences) single(t *tally, unready bool) string {
	return w.nodeOf(t.best.Node, w.only()) + strings.Replace(aside(unready), "all ", "", 1)
}

// only is the only node of a tally, where it may not be named.
func (w sentences) only() string {
	if w.bound {
		return "its node"
	}
	return "the only eligible node"
}

// nodeOf names a node where that is allowed.
func (w sentences) nodeOf(name, otherwise string) string {
	if w.names && name != "" {
		return "node " + shown(name)
	}
	return otherwise
}

// on says where the best node is.
func (w sentences) on(t *tally) string {
	if !w.names {
		return ""
	}
	return " on " + shown(t.pastBest.Node)
}

// shown returns a name as a sentence may hold it: one that someone chose to do harm is cut and cleaned.
func shown(name string) string {
	// Only the start is looked at: names come in any length.
	if len(name) > 4*(maxShown+1) {
		name = name[:4*(maxShown+1)]
	}
	return cut(clean(name), maxShown)
}

// clean replaces what does not print on one line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}

// cut returns at most limit runes of s.
func cut(s string, limit int) string {
	n := 0
	end := 0
	for i := range s {
		if n == limit-3 {
			end = i
		}
		if n == limit {
			return s[:end] + "..."
		}
		n++
	}
	return s
}
