// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// Observation is a pull that was watched from its beginning to its end with
// nothing else going on at its node that is known.
type Observation struct {
	Node string
	// Pod is the one that the image was pulled for.
	Pod types.UID
	Ref imageref.Ref
	// TakenBytes is by how much the available bytes of the node's image file system
	// have shrunk. Never negative.
	TakenBytes int64
}

// maxObservations bounds how many wait to be read; the oldest go first.
const maxObservations = 512

// observedKey is what was observed of an image in a pool.
type observedKey struct {
	pool imagesize.PoolKey
	ref  imageref.Ref
}

// Observations returns the pulls that have been watched since the last call, and
// forgets them. At most a few hundred are kept for it.
func (l *Ledger) Observations() []Observation {
	l.mu.Lock()
	defer l.mu.Unlock()
	watched := l.watched
	l.watched = nil
	return watched
}

// SetLearned writes what pulls have taught of the nodes of a pool.
func (l *Ledger) SetLearned(key imagesize.PoolKey, learned imagesize.Learned) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, found := l.next.learned[key]; found && old.Equal(learned) {
		return
	}
	all := maps.Clone(l.next.learned)
	if all == nil {
		all = make(map[imagesize.PoolKey]imagesize.Learned)
	}
	all[key] = learned
	l.next.learned = all
	l.next.lessons++
	l.changed = true
	l.publishSoon()
}

// SetObserved writes what pulling an image has taken of disks of a pool, for images
// whose layers nobody knows: the extremes, and the likely value for a disk that has
// none of it. Zero takes it back.
func (l *Ledger) SetObserved(key imagesize.PoolKey, ref imageref.Ref, taken estimate.Bytes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := observedKey{key, ref}
	if old, found := l.next.observed.get(k); found && old == taken || !found && taken.IsZero() {
		return
	}
	if taken.IsZero() {
		l.next.observed = l.next.observed.without(k)
	} else {
		l.next.observed = l.next.observed.with(k, taken)
	}
	l.changed = true
	l.publishSoon()
}

// SetPulled writes the size that a kubelet's event gave for an image, in the unit of
// the runtime; 0 takes it back.
func (l *Ledger) SetPulled(ref imageref.Ref, rt imagesize.Runtime, p imagesize.Platform, reportedBytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := reportKey{ref, rt, p}
	if l.pulled[key] == reportedBytes || reportedBytes < 0 {
		return
	}
	if reportedBytes == 0 {
		delete(l.pulled, key)
	} else {
		l.pulled[key] = reportedBytes
	}
	if l.synced {
		l.resize(nameHash(l.next.seed, ref))
		if reportedBytes == 0 {
			l.next.pulled = l.next.pulled.without(key)
		} else {
			l.next.pulled = l.next.pulled.with(key, reportedBytes)
		}
		l.changed = true
	}
	l.publish()
}
