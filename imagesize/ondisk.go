// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import (
	"github.com/headroom-dev/headroom/estimate"
)

// OnDisk returns what the image takes on the disk of a node of that runtime that has
// none of it: [Evidence.Pull] with nothing there.
func (e Evidence) OnDisk(rt Runtime, declared *estimate.Factor) Size {
	return e.Pull(rt, declared, There{})
}

// Prepared returns e with what [Evidence.Pull] has to add up for nodes of that runtime: for
// whoever pulls the image on many of them.
func (e Evidence) Prepared(rt Runtime) Evidence {
	e.sums = nil
	if e.Manifest.Layered() {
		e.sums = newSums(e.Manifest, rt)
	}
	return e
}

// Pull returns what pulling the image adds to the disk of a node of that runtime, by
// the best source there is: its layers, seen on a node, the registry's manifest, the
// operator's table, an event, the policy's assumption. declared is the policy's
// factor for the node's pool, in bytes on disk per reported byte; nil, or one that is
// not valid, stands for what was learned, and then for [ReportedFactor].
func (e Evidence) Pull(rt Runtime, declared *estimate.Factor, there There) Size {
	if declared != nil && !declared.Valid() {
		declared = nil
	}
	size := e.pull(rt, declared, there)
	size.Disk, size.Peak = size.Disk.AtLeastZero(), size.Peak.AtLeastZero()
	if e.Learned.Lazy && declared == nil && size.Source != SourceOperator {
		size.Disk.Low, size.Peak.Low = 0, 0
	}
	return size
}

func (e Evidence) pull(rt Runtime, declared *estimate.Factor, there There) Size {
	reportedElsewhere := e.Reported.High > 0
	if e.sums == nil || e.sums.runtime != rt {
		e = e.Prepared(rt)
	}
	switch {
	case e.sums != nil:
		size := e.sums.pull(declared, e.Learned, there)
		size.Claimed = !e.confirmed(rt)
		return size
	case reportedElsewhere:
		return e.unlayered(e.sinceMoved(rt), SourceNode, rt, declared, there)
	case e.Manifest != nil && e.Manifest.CompressedBytes > 0:
		reported := estimate.Exactly(e.Manifest.CompressedBytes).Times(CompressedFactor(rt))
		size := e.unlayered(reported, SourceRegistry, rt, declared, there)
		size.Claimed = true
		return size
	case e.OperatorBytes > 0:
		// The table holds unpacked bytes on disk. Who keeps the compressed blobs
		// besides knows that, and declares it.
		return steady(estimate.Exactly(e.OperatorBytes), SourceOperator)
	case e.Pulled.High > 0:
		// Events are written into the namespaces of tenants: no low bound.
		size := e.unlayered(e.Pulled, SourceEvent, rt, declared, there)
		size.Claimed = true
		size.Disk.Low, size.Peak.Low = 0, 0
		return size
	case e.Assumed != nil:
		assumed := e.Assumed.AtLeastZero()
		assumed.Low = 0
		return steady(assumed, SourceAssumed)
	default:
		return steady(estimate.Unbounded(0, 0), SourceUnknown)
	}
}

// steady is a size of which nobody knows more than what stays.
func steady(disk estimate.Bytes, source Source) Size {
	return Size{Disk: disk, Peak: disk, Source: source}
}

// unlayered turns a reported size into bytes on disk, for an image of which nobody
// knows the layers.
func (e Evidence) unlayered(reported estimate.Bytes, source Source, rt Runtime, declared *estimate.Factor, there There) Size {
	reported = reported.AtLeastZero()
	factor := ReportedFactor(rt)
	if learned := e.Learned.Reported; learned != nil && learned.Valid() {
		// The next image may compress less than all that were seen, or share more.
		factor = estimate.Factor{Low: min(factor.Low, learned.Low), Likely: learned.Likely, High: learned.High}
	}
	if declared != nil {
		return steady(reported.Times(*declared), source)
	}
	disk := reported.Times(factor)
	if seen := e.Observed; seen.High > 0 {
		// Elsewhere it may have shared more, or less.
		disk = estimate.Between(min(disk.Low, seen.Low), seen.Likely, max(disk.High, seen.High))
	}
	if there.Related {
		disk.Low = 0
	}
	return steady(disk, source)
}

// confirmed reports whether what nodes report may be the image that the registry has
// now: a tag may have moved to one that nobody has pulled.
func (e Evidence) confirmed(rt Runtime) bool {
	told := estimate.Exactly(e.Manifest.CompressedBytes).Times(CompressedFactor(rt))
	return e.Reported.High > 0 && told.High >= e.Reported.Low && told.Low <= e.Reported.High
}

// sinceMoved returns what nodes report, or will once they have pulled again: a tag
// for which the registry tells a size that is out of their range has moved.
func (e Evidence) sinceMoved(rt Runtime) estimate.Bytes {
	reported := e.Reported.AtLeastZero()
	if e.Manifest == nil || e.Manifest.CompressedBytes <= 0 {
		return reported
	}
	if !e.confirmed(rt) {
		return reported.Hull(estimate.Exactly(e.Manifest.CompressedBytes).Times(CompressedFactor(rt)))
	}
	return reported
}
