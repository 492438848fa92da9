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
	// peak is what is on the disk besides while the images are pulled, and gone afterwards, bound by bound.
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
	peak := peaks{}
	pulled, counted := s.accounts.Pulls(row), map[int]bool(nil)
	for i := range s.images {
		image := &s.images[i]
		if neverPulled(image) {
			continue
		}
		// What is being pulled there for another pod is in the account already.
		if pulls(a.Pulling, image.Ref) {
			s.missing[i] = true
			need.add(i, estimate.Bytes{})
			continue
		}
		presence, left := s.presence(row, image, c.wanted[i])
		s.missing[i] = s.missing[i] || presence != ledger.Present || !left.IsZero()
		if presence == ledger.Present {
			need.add(i, left)
			continue
		}
		group := s.sizes.group(i)
		size := s.sizeOn(pulled, c, i)
		bytes := cost(presence, size)
		need.add(i, bytes)
		peak.add(presence, size)
		if !counted[group] {
			d.inodes = estimate.SaturatingAdd(d.inodes, size.Inodes)
		}
		if pulled.Take(image.Ref, group); s.sizes.same != nil {
			if counted == nil {
				counted = make(map[int]bool)
			}
			counted[group] = true
		}
		if certain(size) {
			continue
		}
		s.unsized[i] = s.unsized[i] || !size.Known()
		d.unsized = d.unsized || size.Source == imagesize.SourceUnknown
		if presence == ledger.Absent || s.mayTurnOutAbsent(row, image.Ref) {
			s.waitFor[i], d.huge = true, true
			s.platforms[c.platform] = true
		}
	}
	d.need, d.peak = need.sum(), estimate.Bytes(peak)
	return d
}

// certain reports whether a registry need not be asked any more: anybody may have written an event.
func certain(size imagesize.Size) bool { return size.Known() && size.Source != imagesize.SourceEvent }

// sizeOn is what pulling the image adds to the node, after the images before it but for its own by other names. What is told
// of one of its names is told of all.
func (s *survey) sizeOn(pulled *ledger.Pulls, c *class, i int) imagesize.Size {
	if size := pulled.Size(s.images[i].Ref, s.sizes.group(i)); size.Known() || !c.wanted[i].Known() {
		return size
	}
	return c.wanted[i]
}

// presence says whether the image is on the node as the pod wants it, and what may be left to pull if it is. One that is always
// pulled likely is not if its tag has moved, and nobody knows whether it has where no registry told.
func (s *survey) presence(row *ledger.NodeRow, image *imageref.Image, size imagesize.Size) (ledger.Presence, estimate.Bytes) {
	presence := s.accounts.Presence(row, image.Ref)
	if presence != ledger.Present || image.PullPolicy != corev1.PullAlways {
		return presence, estimate.Bytes{}
	}
	switch s.accounts.Moved(row, image.Ref) {
	case ledger.Yes:
		// It was so when the registry was asked, some minutes ago at most.
		return ledger.PresenceUnsure, estimate.Bytes{}
	case ledger.No:
		return presence, estimate.Bytes{}
	default:
		return presence, estimate.Between(0, 0, size.Disk.AtLeastZero().High)
	}
}

// peaks are the bytes that come on top while images are pulled, one after the other: those of the largest.
type peaks estimate.Bytes

func (p *peaks) add(presence ledger.Presence, size imagesize.Size) {
	if presence == ledger.Absent {
		p.Low = max(p.Low, estimate.SaturatingSub(size.Peak.Low, size.Disk.Low))
	}
	p.Likely = max(p.Likely, estimate.SaturatingSub(size.Peak.Likely, size.Disk.Likely))
	p.High = max(p.High, estimate.SaturatingSub(size.Peak.High, size.Disk.High))
}

// mayTurnOutAbsent reports whether the size of an image that the node does not list could show that it is not there: it may
// be larger than all that is on the disk. Or than the smallest image that is listed, because a list that was cut holds the
// largest ones; a registry tells that in containerd's unit only.
func (s *survey) mayTurnOutAbsent(row *ledger.NodeRow, ref imageref.Ref) bool {
	listed, _ := row.ImagesListed()
	return s.accounts.HoldsAtMost(row, ref) < math.MaxInt64 ||
		row.Runtime == imagesize.Containerd && listed > 0 && row.ListCut()
}

func neverPulled(image *imageref.Image) bool { return image.PullPolicy == corev1.PullNever }

// cost returns what one image adds to a disk that lacks it, or may.
func cost(presence ledger.Presence, size imagesize.Size) estimate.Bytes {
	full := size.Disk.AtLeastZero()
	if presence == ledger.Absent {
		return full
	}
	return estimate.Between(0, full.Likely, full.High)
}
