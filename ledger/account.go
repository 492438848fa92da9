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

// View is the point of view from which a node's account is drawn up.
type View struct {
	Now time.Time
	// Pod, Namespace and Images are of the pod being judged: it is left out of
	// the account, and so are reservations of its own images. Empty for none.
	Pod       types.UID
	Namespace string
	Images    []imageref.Ref
	// Size tells what an image takes on that node when none of it is there.
	Size func(*NodeRow, imageref.Ref) imagesize.Size
	// DeclaredBytes tells the capacity the policy declares for the node's
	// image file system, 0 for none. Nil means none.
	DeclaredBytes func(*NodeRow) int64
	// MaxStaleness is the age from which a sample no longer counts as Measured.
	MaxStaleness time.Duration
}

// Account is one node's image storage as seen from a View. All in bytes.
// Available = measured - Settled - Pending - Reserved, and may be negative.
type Account struct {
	Tier Tier
	// Stale is set when there is a sample, but older than MaxStaleness.
	Stale     bool
	SampleAge time.Duration // 0 without a sample
	// CapacityBytes is 0 when Tier is NoTier.
	CapacityBytes int64
	// Measured is what the kubelet said is available; below tier Measured it is
	// an estimate from the listed images.
	Measured                   estimate.Bytes
	Settled, Pending, Reserved estimate.Bytes
	Available                  estimate.Bytes
	Reclaimable                estimate.Bytes
	// GCLineBytes and EvictionLineBytes: available below them means that the
	// kubelet trims images, and evicts. 0 when there is no such line.
	GCLineBytes, EvictionLineBytes int64
	// LinesAssumed is set when the lines are the kubelet's defaults.
	LinesAssumed bool
	// Pulling are the images being pulled for bound pods: pulling them for one more pod adds nothing.
	Pulling []imageref.Ref
}
