// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import (
	"time"

	"github.com/headroom-dev/headroom/estimate"
)

const (
	// suspectAfter is for how long all samples must show too little: a list of images is
	// up to 40 seconds behind the disk, from which they may just have been removed.
	suspectAfter = 90 * time.Second
	// samplesToClear is how many in a row must show enough.
	samplesToClear = 10
	// maxSuspects bounds what a pool remembers. With so many nodes of a kind, one more tells nothing.
	maxSuspects = 1000
)

// suspects are the nodes whose disks have lately had less in use than their images
// need. A node that never had is not among them.
type suspects struct {
	nodes map[string]*suspect
	// found is how many of them have been so in enough samples.
	found int
}

// suspect counts a node's samples, in a row, of the kind that counts now.
type suspect struct {
	found      bool
	shortSince time.Time // zero when the last one was not short
	enough     int
}

// AddUsed compares what a node's disk has in use with what the images that the node
// lists need there at least. A minute and a half of samples with too little make the pool
// lazy, until the node has had ten in a row with enough. at is any clock that goes on
// from one sample of the node to the next.
func (t *Tally) AddUsed(node string, usedBytes int64, needed estimate.Bytes, at time.Time) {
	t.suspects.add(node, usedBytes < needed.AtLeastZero().Low, at)
}

// ForgetNode drops what [Tally.AddUsed] remembers of a node that is gone.
func (t *Tally) ForgetNode(node string) { t.suspects.forget(node) }

func (s *suspects) lazy() bool { return s.found > 0 }

func (s *suspects) add(node string, short bool, at time.Time) {
	n := s.nodes[node]
	switch {
	case n == nil && (!short || len(s.nodes) >= maxSuspects):
		return
	case n == nil:
		if s.nodes == nil {
			s.nodes = make(map[string]*suspect)
		}
		n = &suspect{}
		s.nodes[node] = n
	}
	if !short {
		n.shortSince, n.enough = time.Time{}, n.enough+1
		if !n.found || n.enough >= samplesToClear {
			s.forget(node)
		}
		return
	}
	n.enough = 0
	if n.shortSince.IsZero() || at.Before(n.shortSince) {
		n.shortSince = at
	}
	if !n.found && at.Sub(n.shortSince) >= suspectAfter {
		n.found = true
		s.found++
	}
}

func (s *suspects) forget(node string) {
	if n := s.nodes[node]; n != nil && n.found {
		s.found--
	}
	delete(s.nodes, node)
}
