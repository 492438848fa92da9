// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"maps"
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// reportKey is what reported sizes may be compared within.
type reportKey struct {
	ref      imageref.Ref
	runtime  imagesize.Runtime
	platform imagesize.Platform
}

// reportCount is how many nodes report one size for one image.
type reportCount struct {
	bytes int64
	nodes int
}

// report adds what the node lists to the reports, or with -1 takes it away.
// Runtimes whose unit is not known say nothing to other nodes.
func (l *Ledger) report(n *Node, list *imageList, change int) {
	if n.Runtime == imagesize.OtherRuntime {
		return
	}
	for _, image := range list.images {
		if image.ReportedBytes <= 0 {
			continue
		}
		for _, ref := range image.Refs {
			l.reportSize(reportKey{ref, n.Runtime, platformOf(n)}, image.ReportedBytes, change)
		}
	}
}

func (l *Ledger) reportSize(key reportKey, size int64, change int) {
	counts := l.reports[key]
	before := summary(counts)
	i := slices.IndexFunc(counts, func(c reportCount) bool { return c.bytes == size })
	if i < 0 {
		counts, i = append(counts, reportCount{bytes: size}), len(counts)
	}
	if counts[i].nodes += change; counts[i].nodes == 0 {
		counts = slices.Delete(counts, i, i+1)
	}
	if len(counts) == 0 {
		delete(l.reports, key)
	} else {
		l.reports[key] = counts
	}
	after := summary(counts)
	switch {
	case !l.synced || before == after:
		return
	case len(counts) == 0:
		l.next.reports = l.next.reports.without(key)
	default:
		l.next.reports = l.next.reports.with(key, after)
	}
	l.resize(nameHash(l.next.seed, key.ref))
}

// summary is the extremes of what nodes report and the most common size; of
// several the largest. Zero for no report.
func summary(counts []reportCount) estimate.Bytes {
	if len(counts) == 0 {
		return estimate.Bytes{}
	}
	result := estimate.Exactly(counts[0].bytes)
	common := counts[0]
	for _, c := range counts[1:] {
		result.Low, result.High = min(result.Low, c.bytes), max(result.High, c.bytes)
		if c.nodes > common.nodes || c.nodes == common.nodes && c.bytes > common.bytes {
			common = c
		}
	}
	result.Likely = common.bytes
	return result
}

func (l *Ledger) sortedPlatforms() []imagesize.Platform {
	return slices.SortedFunc(maps.Keys(l.platforms), func(a, b imagesize.Platform) int {
		return cmp.Or(cmp.Compare(a.OS, b.OS), cmp.Compare(a.Architecture, b.Architecture))
	})
}
