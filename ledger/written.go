// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// Written is a snapshot in a form that can be written down as JSON and read back. It is no API: field names are those of
// this package, and whoever keeps it has to say by which version it was written.
type Written struct {
	Synced     bool
	Generation uint64
	Nodes      []WrittenNode
	Unbound    []*Pod
	Manifests  []WrittenManifest
	Pulled     []WrittenPull
	Learned    []WrittenLesson
	Observed   []WrittenObservation
	Autoscaler Autoscaler
}

// WrittenNode is a row of a snapshot. What is pending or settled is remembered from when each pod was bound and can't be
// found again, so that claims are written as they are; all else follows from the node and its pods.
type WrittenNode struct {
	Node        *Node
	Measurement *Measurement
	Lines       Lines
	LostBytes   int64
	Pods        []*Pod // bound here
	Gone        []*Pod // deleted a short while ago
	Claims      []WrittenClaim
}

// WrittenClaim is an image that costs bytes which the sample does not show.
type WrittenClaim struct {
	Ref                     imageref.Ref
	State                   int // 0 pending, 1 settled, 2 spent
	BaselineBytes, EndBytes int64
	Wanters                 []WrittenWanter
	Settled, Spent          bool
	Starters                []string
}

// WrittenWanter is a pod that waits for an image, or did.
type WrittenWanter struct {
	Pod                  types.UID
	Namespace            string
	Watched, Deleting    bool
	BaselineBytes        int64
	FailingSince, GoneAt time.Time
}

// WrittenManifest is what a registry told.
type WrittenManifest struct {
	Ref      imageref.Ref
	Platform imagesize.Platform
	Manifest imagesize.Manifest
}

// WrittenPull is the size that events gave for an image.
type WrittenPull struct {
	Ref      imageref.Ref
	Runtime  imagesize.Runtime
	Platform imagesize.Platform
	Bytes    int64
}

// WrittenLesson is what pulls have taught of a pool.
type WrittenLesson struct {
	Pool    imagesize.PoolKey
	Learned imagesize.Learned
}

// WrittenObservation is what pulling an image has taken of disks of a pool.
type WrittenObservation struct {
	Pool  imagesize.PoolKey
	Ref   imageref.Ref
	Taken estimate.Bytes
}

// Write returns all that the snapshot holds, in a fixed order. It shares pods and nodes with the snapshot: nothing in it
// may be changed.
func (s *Snapshot) Write() *Written {
	w := &Written{Synced: s.synced, Generation: s.generation, Autoscaler: s.autoscaler, Unbound: slices.Collect(s.UnboundPods())}
	for row := range s.Nodes() {
		w.Nodes = append(w.Nodes, row.row.write())
	}
	s.manifests.each(func(k manifestKey, m *known) {
		w.Manifests = append(w.Manifests, WrittenManifest{k.ref, k.platform, m.Manifest})
	})
	s.pulled.each(func(k reportKey, bytes int64) {
		w.Pulled = append(w.Pulled, WrittenPull{k.ref, k.runtime, k.platform, bytes})
	})
	s.observed.each(func(k observedKey, taken estimate.Bytes) {
		w.Observed = append(w.Observed, WrittenObservation{k.pool, k.ref, taken})
	})
	for pool, learned := range s.learned {
		w.Learned = append(w.Learned, WrittenLesson{pool, learned})
	}
	inOrder(w.Manifests, func(m *WrittenManifest) string { return fmt.Sprint(m.Ref, m.Platform) })
	inOrder(w.Pulled, func(p *WrittenPull) string { return fmt.Sprint(p.Ref, p.Runtime, p.Platform) })
	inOrder(w.Observed, func(o *WrittenObservation) string { return fmt.Sprint(o.Pool, o.Ref) })
	inOrder(w.Learned, func(l *WrittenLesson) string { return fmt.Sprint(l.Pool) })
	return w
}

// inOrder sorts by what each is about.
func inOrder[T any](all []T, key func(*T) string) {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(key(&a), key(&b)) })
}

func (r *row) write() WrittenNode {
	node := *r.node
	node.Images = r.list.whole()
	w := WrittenNode{
		Node: &node, Measurement: r.measurement, Lines: r.lines, LostBytes: r.lostBytes, Pods: r.facts.rows(r.node.Name), Gone: r.facts.gone,
	}
	for i := range r.facts.claims {
		c := &r.facts.claims[i]
		claim := WrittenClaim{
			Ref: c.ref, State: int(c.state), BaselineBytes: c.baselineBytes, EndBytes: c.endBytes,
			Settled: c.settled, Spent: c.spent, Starters: c.starters,
		}
		for _, o := range c.wanters {
			claim.Wanters = append(claim.Wanters, WrittenWanter{
				Pod: o.pod, Namespace: o.namespace, Watched: o.watched, Deleting: o.deleting,
				BaselineBytes: o.baselineBytes, FailingSince: o.failingSince, GoneAt: o.goneAt,
			})
		}
		w.Claims = append(w.Claims, claim)
	}
	return w
}
