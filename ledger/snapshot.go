// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// contents are what a snapshot holds. Every field is replaced, never changed.
type contents struct {
	synced       bool
	seed         maphash.Seed // of the hashes of names
	generation   uint64
	rows         rows
	numbering    uint64 // numbers.count
	reports      table[reportKey, estimate.Bytes]
	manifests    table[manifestKey, *known]
	digests      table[digestKey, *known]
	told         uint64 // grows with every change of what is known of layers
	pulled       table[reportKey, int64]
	resizes      resizes
	learned      map[imagesize.PoolKey]imagesize.Learned
	lessons      uint64 // grows with every change of learned
	observed     table[observedKey, estimate.Bytes]
	platforms    []imagesize.Platform
	autoscaler   Autoscaler
	unbound      table[types.UID, unboundPod]
	named        table[types.NamespacedName, types.UID] // of unbound
	arrivals     table[arrival, *arrived]               // of unbound
	candidates   []*candidates                          // by slot of the group
	released     uint64                                 // how many nodes' slots have been
	reservations []*reservation
}

// unboundPod is a pod that waits, and the slot of its group.
type unboundPod struct {
	pod   *Pod
	group int
}

func emptyContents() contents {
	return contents{
		seed:      maphash.MakeSeed(),
		reports:   newTable[reportKey, estimate.Bytes](),
		manifests: newTable[manifestKey, *known](),
		digests:   newTable[digestKey, *known](),
		pulled:    newTable[reportKey, int64](),
		observed:  newTable[observedKey, estimate.Bytes](),
		unbound:   newTable[types.UID, unboundPod](),
		named:     newTable[types.NamespacedName, types.UID](),
		arrivals:  newTable[arrival, *arrived](),
	}
}

// Snapshot is the ledger at one moment. It never changes and may be read by any
// number of goroutines; nothing reached through it may be changed.
type Snapshot struct {
	contents

	// once guards handles: readers build them, and wait for each other only.
	once    sync.Once
	handles []NodeRow
}

// Synced reports whether the first lists of nodes and pods are in. Without that,
// a snapshot is empty.
func (s *Snapshot) Synced() bool { return s.synced }

// Generation grows with every change.
func (s *Snapshot) Generation() uint64 { return s.generation }

// Len returns the number of nodes.
func (s *Snapshot) Len() int { return s.rows.count }

// Nodes returns all nodes by name.
func (s *Snapshot) Nodes() iter.Seq[*NodeRow] {
	handles := s.all()
	return func(yield func(*NodeRow) bool) {
		for i := range handles {
			if !yield(&handles[i]) {
				return
			}
		}
	}
}

// stride is a prime, and so has no factor in common with any number of nodes: all of them are met. It is near the golden
// ratio's part of 2^32, which makes steps small for hardly any number.
const stride = 2654435789

// Scattered returns all nodes, each once, in an order that depends on seed alone: it begins anywhere, and nodes whose names
// are neighbours, and so often of one pool, are far apart. It is for whoever looks at some of them only.
func (s *Snapshot) Scattered(seed uint64) iter.Seq[*NodeRow] {
	handles := s.all()
	return func(yield func(*NodeRow) bool) {
		n := uint64(len(handles))
		for i, at := uint64(0), seed; i < n; i, at = i+1, at%n+stride {
			if !yield(&handles[at%n]) {
				return
			}
		}
	}
}

// all returns the nodes by name.
func (s *Snapshot) all() []NodeRow {
	s.once.Do(func() {
		s.handles = make([]NodeRow, 0, s.rows.count)
		for _, chunk := range s.rows.chunks {
			for _, r := range chunk {
				s.handles = append(s.handles, NodeRow{Node: r.node, row: r, snapshot: s})
			}
		}
	})
	return s.handles
}

// Node returns the node of that name.
func (s *Snapshot) Node(name string) (*NodeRow, bool) {
	r, found := s.rows.get(name)
	if !found {
		return nil, false
	}
	return &NodeRow{Node: r.node, row: r, snapshot: s}, true
}

// Platforms returns the platforms of the nodes, sorted.
func (s *Snapshot) Platforms() []imagesize.Platform { return slices.Clone(s.platforms) }

// Evidence returns what nodes of one runtime and platform report about an image,
// and what a registry does. The policy's part of it is the caller's to add.
func (s *Snapshot) Evidence(ref imageref.Ref, rt imagesize.Runtime, p imagesize.Platform) imagesize.Evidence {
	reported, _ := s.reports.get(reportKey{ref, rt, p})
	pulled, _ := s.pulled.get(reportKey{ref, rt, p})
	e := imagesize.Evidence{Reported: reported, Pulled: estimate.Exactly(pulled)}
	if k := s.knownOf(ref, p); k != nil {
		e.Manifest = &k.Manifest
	}
	return e
}

// Learned returns what pulls have taught of a pool.
func (s *Snapshot) Learned(key imagesize.PoolKey) imagesize.Learned { return s.learned[key] }

// Observed returns what pulling an image has taken of disks of a pool, zero for
// nothing.
func (s *Snapshot) Observed(key imagesize.PoolKey, ref imageref.Ref) estimate.Bytes {
	b, _ := s.observed.get(observedKey{key, ref})
	return b
}

// UnboundPods returns the pods that wait to be bound, by namespace and name: not
// those that are finished or being deleted.
func (s *Snapshot) UnboundPods() iter.Seq[*Pod] {
	var pods []*Pod
	s.unbound.each(func(_ types.UID, u unboundPod) { pods = append(pods, u.pod) })
	slices.SortFunc(pods, func(a, b *Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return slices.Values(pods)
}

// UnboundPod returns the pod of that UID if it waits to be bound.
func (s *Snapshot) UnboundPod(uid types.UID) (*Pod, bool) {
	u, found := s.unbound.get(uid)
	return u.pod, found
}

// UnboundPodNamed returns the pod of that name if it waits to be bound.
func (s *Snapshot) UnboundPodNamed(namespace, name string) (*Pod, bool) {
	uid, found := s.named.get(types.NamespacedName{Namespace: namespace, Name: name})
	if !found {
		return nil, false
	}
	return s.UnboundPod(uid)
}

// reportedAtLeast returns the least size, in the unit of the node's runtime, that
// anybody knows for the image; 0 for unknown.
func (s *Snapshot) reportedAtLeast(ref imageref.Ref, n *Node) int64 {
	reported, found := s.reports.get(reportKey{ref, n.Runtime, platformOf(n)})
	if n.Runtime != imagesize.Containerd {
		return reported.Low
	}
	manifest := s.knownOf(ref, platformOf(n))
	told := manifest != nil
	switch {
	case found && told && manifest.CompressedBytes > 0:
		// A tag may have moved: the node can have either image.
		return min(reported.Low, manifest.CompressedBytes)
	case told && !found:
		return manifest.CompressedBytes
	default:
		return reported.Low
	}
}
