// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"math"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// demand is what a pod adds to one node.
type demand struct {
	need estimate.Bytes
	// peak is what is on the disk besides while the images are pulled, and gone afterwards.
	peak estimate.Bytes
	// inodes is how many files and folders the images likely bring.
	inodes int64
	// unsized: some image that is wanted there has a size that nobody even assumes.
	unsized bool
	// huge: some image has a size that nobody told, and if it were huge the node would certainly lack it.
	huge bool
}

// demand returns what the pod's distinct images add to the node, and marks those without a size.
func (s *survey) demand(row *ledger.NodeRow, a *ledger.Account, c *class) demand {
	var d demand
	need := once{firsts: s.sizes.same}
	for i := range s.images {
		image, size := &s.images[i], c.wanted[i]
		if neverPulled(image) {
			continue
		}
		// What is being pulled there for another pod is in the account already.
		if pulls(a.Pulling, image.Ref) {
			need.add(i, estimate.Bytes{})
			continue
		}
		presence := s.accounts.Presence(row, image.Ref)
		need.add(i, cost(image, presence, size))
		if size.Known() || presence == ledger.Present {
			continue
		}
		s.unsized[i] = true
		d.unsized = d.unsized || size.Source != imagesize.SourceAssumed
		if presence == ledger.Absent || s.mayTurnOutAbsent(row, image.Ref) {
			s.waitFor[i], d.huge = true, true
			s.platforms[c.platform] = true
		}
	}
	d.need = need.sum()
	return d
}

// mayTurnOutAbsent reports whether the size of an image that the node does not list could show that it is not there: it may
// be larger than all that is on the disk. Or than the smallest image that is listed, because a list that was cut holds the
// largest ones; a registry tells that in containerd's unit only.
func (s *survey) mayTurnOutAbsent(row *ledger.NodeRow, ref imageref.Ref) bool {
	return s.accounts.HoldsAtMost(row, ref) < math.MaxInt64 ||
		row.Runtime == imagesize.Containerd && len(row.Images) > 0 && row.ListCut()
}

func neverPulled(image *imageref.Image) bool { return image.PullPolicy == corev1.PullNever }

// cost returns what one image adds to a disk.
func cost(image *imageref.Image, presence ledger.Presence, size imagesize.Size) estimate.Bytes {
	full := size.Disk.AtLeastZero()
	switch presence {
	case ledger.Absent:
		return full
	case ledger.Present:
		// A tag may have moved; a digest never does.
		if image.PullPolicy == corev1.PullAlways && image.Ref.Digest() == "" {
			return estimate.Between(0, 0, full.High)
		}
		return estimate.Bytes{}
	case ledger.PresenceUnsure:
		return estimate.Between(0, full.Likely, full.High)
	default:
		return estimate.Between(0, full.Likely, full.High)
	}
}
