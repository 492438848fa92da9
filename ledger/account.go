// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// Tier says how good a node's capacity and available bytes are.
type Tier string

// The tiers, best first.
const (
	Measured Tier = "Measured" // the kubelet told, and the sample is fresh
	Declared Tier = "Declared" // the policy declares the image disk
	Assumed  Tier = "Assumed"  // ephemeral-storage is taken for the image disk
	NoTier   Tier = "None"     // nothing is known
)

// Presence says whether an image is on a node.
type Presence string

// The three answers: the image list is cut, so "not listed" may mean nothing.
const (
	Present        Presence = "Present"
	Absent         Presence = "Absent"
	PresenceUnsure Presence = "Unsure"
)

// View is the point of view from which a node's account is drawn up. The zero
// View judges no pod.
type View struct {
	// Now is our clock.
	Now time.Time
	// Pod, Namespace and Images are of the pod being judged, empty for none. What
	// the pod has pending or reserved is left out, and so are reservations of its
	// images by others: its need counts them in full. What only pods of other
	// namespaces ask for has no low bound before they are bound, and where only a
	// registry tells its size, none at all: nobody else is refused for it.
	Pod       types.UID
	Namespace string
	Images    []imageref.Ref
	// Size tells what pulling an image adds to that node, with what is there of it.
	// Nil means what nodes and registries tell, by the runtime's own rules.
	Size func(*NodeRow, imageref.Ref, imagesize.There) imagesize.Size
	// Stored tells what layers take on that node. Nil means the same.
	Stored func(*NodeRow, imagesize.Stored) estimate.Bytes
	// SizeClass returns equal values, comparable ones, for nodes for which Size is
	// the same for every image of which nothing is there: then that is asked once for
	// all of them. Nil means that every node is asked about.
	SizeClass func(*NodeRow) any
	// Listed is kept from one view to the next, of the same or a later snapshot, for which Size and SizeClass say the same of
	// all images that nodes list. Nil keeps nothing.
	Listed *ListedSizes
	// DeclaredBytes tells the capacity the policy declares for the node's
	// image file system, 0 for none. Nil means none.
	DeclaredBytes func(*NodeRow) int64
	// MaxStaleness is the greatest age at which a sample still counts in full; 0 is no
	// limit.
	MaxStaleness time.Duration
}

// Account is one node's image storage as seen from a View. All in bytes.
// Available = Measured - Settled - Pending - Reserved, and may be negative.
//
// An image counts once, in one of the three, with what View.Size says it costs: for
// settled and pending ones less the layers that are on the node or come with images
// before it, as far as they are known; for reserved ones the low bound only, since
// what may come to many nodes is worked out once for all of them.
// "Lost" are the bytes by which the node's available bytes have shrunk, sample by
// sample, since the image's first pod was bound.
//
//	          low                           likely              high
//	settled   cost - all lost               cost - its share    cost
//	          0: only another namespace's
//	          registry image
//	pending   cost - all lost               cost - its share    cost
//	          0: perhaps present, bound before we looked, or
//	          only another namespace's registry image
//	          0: failing for 2 minutes, or    0                 cost
//	          all its pods being deleted
//	          0: all its pods deleted since   cost - its share  cost
//	          the sample held was taken
//	reserved  0                             cost x min(1, pods / candidates)  cost
//	          cost: a pod of the view's     as above, at least cost.low       cost
//	          namespace can't go to any
//	          other node, or is nominated
//	          0: gated or unschedulable       0                 cost
//
// Each image's share of the lost bytes is at most its likely cost; the oldest
// takes first, no byte is taken twice, and what an image took stays taken when a
// sample has seen it. An image of View.Images that only deleted pods waited for
// is not pending, and one that only finished or deleted pods had has settled with
// its low bound for the likely value: the need counts it. Below tier Measured nothing
// is lost or settled: there is no sample to compare with.
type Account struct {
	// Tier is NoTier when nothing is known: then all below but Stale, SampleAge
	// and LinesAssumed is zero and means nothing.
	Tier Tier
	// Old is set when the sample is older than MaxStaleness, but not more than
	// Measurement.Patience times as old. Nobody knows what has been deleted since: it
	// is good enough for a warning, and must not be what a pod is refused for. Stale is
	// set when it is older than that, and then it counts for nothing.
	Old, Stale bool
	SampleAge  time.Duration // 0 without a sample
	// CapacityBytes is 0 when Tier is NoTier.
	CapacityBytes int64
	// Measured is what the kubelet said is available; below tier Measured it is
	// an estimate from the listed images, from nothing to the capacity less the
	// largest image.
	Measured                   estimate.Bytes
	Settled, Pending, Reserved estimate.Bytes
	Available                  estimate.Bytes
	// Reclaimable is what the eviction manager could free, once it takes the images
	// for old enough: listed images that no bound pod uses which is not finished, but
	// for what looks like the sandbox image. Where layers are known, it is those that
	// no image in use has. Low counts no image whose layers are not known, and no layer
	// that such an image in use may have; it is 0 where the kubelet wants images to be
	// older than it does by default. High is never more than what is used, and all
	// of that when the list is cut.
	Reclaimable estimate.Bytes
	// GCLineBytes and EvictionLineBytes: available below them means that the
	// kubelet trims images, and evicts. 0 when there is no such line.
	GCLineBytes, EvictionLineBytes int64
	// EvictionTargetBytes is what must be available after a reclaim, lest the
	// kubelet evicts a pod: the eviction line with its minimum reclaim. 0 when there
	// is no such line.
	EvictionTargetBytes int64
	// Inodes and InodesFree are those of the file system, and InodeLine how many
	// must be free, lest the kubelet reports DiskPressure. 0 when not told, below
	// tier Measured, or when there is no such line.
	Inodes, InodesFree, InodeLine int64
	// LinesAssumed is set when the lines are the kubelet's defaults.
	LinesAssumed bool
	// Pulling are the images that Pending counts and that are on their way:
	// pulling them for one more pod adds nothing. Not those that only add to the
	// high bound. Sorted.
	Pulling []imageref.Ref
}
