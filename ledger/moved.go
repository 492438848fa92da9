// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
)

// Answer is yes, no, or not known.
type Answer string

// The answers.
const (
	Yes      Answer = "Yes"
	No       Answer = "No"
	NotKnown Answer = "NotKnown"
)

// Moved says whether the tag of an image that is on the node stands for another image
// by now, as far as a registry has told: Yes if none of its digests is on the node,
// No if one is. NotKnown where no registry told, where a pod there pulls it anew, or
// where names of the node's images may be cut off. What a registry told may be some
// minutes old. The row must be of the same snapshot.
func (a *Accounts) Moved(row *NodeRow, ref imageref.Ref) Answer {
	if ref.Digest() != "" {
		return No
	}
	k := a.s.knownOf(ref, platformOf(row.Node))
	if k == nil || k.Digest == "" {
		return NotKnown
	}
	for _, digest := range []string{k.Digest, k.ImageDigest} {
		if digest != "" && row.row.hasDigest(digest) {
			return No
		}
	}
	list := row.row.list
	if row.row.pullsAnew(ref) || list.images == nil || list.mayHide(ref) || row.ListCut() && k.CompressedBytes <= list.smallestBytes {
		return NotKnown
	}
	return Yes
}

// pullsAnew reports whether a pod that is bound here still has to ask for the image,
// whatever the node has by that name.
func (r *row) pullsAnew(ref imageref.Ref) bool {
	return slices.ContainsFunc(r.facts.pods, func(p *Pod) bool {
		return !p.Finished && slices.ContainsFunc(p.Images, func(image PodImage) bool {
			return image.Ref == ref && image.PullPolicy == corev1.PullAlways && !image.Pulled
		})
	})
}

// hasDigest reports whether an image of that digest is listed, or a pod that is not
// finished has pulled it.
func (r *row) hasDigest(digest string) bool {
	_, listed := r.list.named(digest)
	return listed || r.facts.named(digest).pulled
}

// mayHave reports whether the image may be on the node by whatever name: by one of its
// digests, or in an entry that was loaded by hand, under a tag alone, and has its size.
func (r *row) mayHave(k *known) bool {
	if k == nil {
		return false
	}
	for _, digest := range []string{k.Digest, k.ImageDigest} {
		if digest != "" && (r.hasDigest(digest) || r.facts.named(digest).had) {
			return true
		}
	}
	return slices.ContainsFunc(r.list.images, func(image *listed) bool {
		digests := slices.ContainsFunc(image.Refs, func(name imageref.Ref) bool { return name.Digest() != "" })
		return !digests && k.fits(image.ReportedBytes, r.node.Runtime)
	})
}
