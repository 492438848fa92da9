// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize

import (
	"math"
	"slices"

	"github.com/headroom-dev/headroom/estimate"
)

const (
	// minBlobBytes and the tenth of the unpacked bytes are what the blobs must
	// come to: with less, keeping them makes no difference that a disk shows.
	minBlobBytes, minBlobShare = 8 << 20, 10
	// slackBytes is what a node writes besides in the time of a pull: logs, metadata.
	slackBytes = 4 << 20
	// minReportedBytes is what an image must report: below, the slack is the answer.
	minReportedBytes = 1 << 20
	// maxFactor is more than any image of real files takes for each reported byte.
	maxFactor = 6

	votesKept, minVotes = 16, 3
	// minVoters is how many nodes of a larger pool must have voted: its nodes may not all be set up alike.
	minVoters = 3
	// minNamespaces is of how many namespaces the pods must have been, whatever the pool: what a vote is compared with is
	// what the image says of itself, so that the votes of one namespace are one tenant's claim.
	minNamespaces           = 2
	factorsKept, minFactors = 32, 5
	// minForOutliers is how many factors it takes to say that one is not like the others.
	minForOutliers = 8
)

// Pull is what one pull has taken of a node's disk, and what is known of the image.
// All counts are bytes.
type Pull struct {
	// Node is the name of the node that pulled, Namespace that of the pod it pulled for.
	Node, Namespace string
	// TakenBytes is by how much the available bytes have shrunk.
	TakenBytes int64
	// ReportedBytes is the size in the unit of the node's runtime, 0 for unknown.
	ReportedBytes int64
	// BlobBytes are the compressed bytes that had to be fetched, -1 for unknown.
	BlobBytes int64
	// Unpacked is what the snapshots that had to be made take, zero for unknown.
	Unpacked estimate.Bytes
}

// Outcome is what became of a pull in a Tally: a closed set, for metrics.
type Outcome string

// The outcomes.
const (
	OutcomeUsed      Outcome = "used"
	OutcomeTooSmall  Outcome = "too_small" // the difference it could make is lost in what else a node writes
	OutcomeVague     Outcome = "vague"     // what the image takes unpacked is not known well enough
	OutcomeAmbiguous Outcome = "ambiguous" // as well with blobs as without
	OutcomeOutlier   Outcome = "outlier"   // neither, or out of any range: something else happened on the disk
	OutcomeUnknown   Outcome = "unknown"   // nobody knows a size to compare with
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	return []Outcome{OutcomeUsed, OutcomeTooSmall, OutcomeVague, OutcomeAmbiguous, OutcomeOutlier, OutcomeUnknown}
}

// Tally is what pulls have taught of the nodes of one pool. It keeps the last few
// only, so that it follows a pool that changes. The zero value has seen nothing. It
// is not safe for concurrent use.
type Tally struct {
	votes   ring[vote]
	factors ring[float64] // bytes taken for each reported byte
	// used is how many pulls were [OutcomeUsed].
	used     int
	suspects suspects
}

// vote is what one pull says of its node: whether the blobs were kept.
type vote struct {
	node, namespace string
	kept            bool
}

// Add takes a pull into account.
func (t *Tally) Add(p Pull) Outcome {
	outcome := t.add(p)
	if outcome == OutcomeUsed && t.used < math.MaxInt {
		t.used++
	}
	return outcome
}

func (t *Tally) add(p Pull) Outcome {
	unpacked := p.Unpacked.AtLeastZero()
	switch {
	case p.TakenBytes < 0:
		return OutcomeOutlier
	case unpacked.Likely > 0:
		return t.vote(p, unpacked)
	case !unpacked.IsZero():
		return OutcomeVague
	case p.ReportedBytes <= 0:
		return OutcomeUnknown
	case p.ReportedBytes < minReportedBytes:
		return OutcomeTooSmall
	}
	factor := float64(p.TakenBytes) / float64(p.ReportedBytes)
	if factor > maxFactor {
		return OutcomeOutlier
	}
	t.factors.push(factor, factorsKept)
	return OutcomeUsed
}

// vote decides whether the pull took the room of the blobs, too.
func (t *Tally) vote(p Pull, unpacked estimate.Bytes) Outcome {
	switch {
	case p.BlobBytes < 0:
		return OutcomeUnknown
	case p.BlobBytes < minBlobBytes || p.BlobBytes < unpacked.Likely/minBlobShare:
		return OutcomeTooSmall
	case unpacked.High == math.MaxInt64 || unpacked.High-unpacked.Low > estimate.SaturatingAdd(unpacked.Likely/10, slackBytes):
		return OutcomeVague
	}
	kept := near(p.TakenBytes, estimate.SaturatingAdd(unpacked.Likely, p.BlobBytes))
	discarded := near(p.TakenBytes, unpacked.Likely)
	switch {
	case kept && discarded:
		return OutcomeAmbiguous
	case !kept && !discarded:
		return OutcomeOutlier
	}
	t.votes.push(vote{node: p.Node, namespace: p.Namespace, kept: kept}, votesKept)
	return OutcomeUsed
}

// near reports whether two counts, neither negative, differ by no more than 5 % and the slack.
func near(got, want int64) bool {
	distance := got - want
	if distance < 0 {
		distance = -distance
	}
	return distance <= estimate.SaturatingAdd(want/20, slackBytes)
}

// Learned returns what the pulls have taught so far, of a pool that has so many nodes
// now. What too few have shown is nil.
func (t *Tally) Learned(nodes int) Learned {
	return Learned{Kept: t.kept(nodes), Reported: t.reported(), Lazy: t.suspects.lazy(), Observations: t.used}
}

// kept is certain only where the votes are of one mind, of enough nodes and of enough
// namespaces. The votes of few say what is likely and narrow nothing: a bound that is
// wrong would be believed, and pods refused for it. Other nodes of a pool may be set up
// in another way. And a layer may lie of its size in ways that whoever unpacks it does
// not notice: in a table of contents, at the end of the last of several gzip members,
// after the end of the archive. One that claims its blob's bytes less than the truth, and
// is pulled where blobs are discarded, votes for kept. Layers that are read whole can't
// lie, but are below [minBlobBytes] as a rule: nearly nothing would be learned.
func (t *Tally) kept(nodes int) *estimate.Factor {
	n, kept := len(t.votes.values), 0
	if n < minVotes {
		return nil
	}
	voters, namespaces := make(map[string]bool, n), make(map[string]bool, n)
	for _, v := range t.votes.values {
		voters[v.node], namespaces[v.namespace] = true, true
		if v.kept {
			kept++
		}
	}
	share := float64(kept) / float64(n)
	if (kept == 0 || kept == n) && len(voters) >= min(minVoters, nodes) && len(namespaces) >= minNamespaces {
		return &estimate.Factor{Low: share, Likely: share, High: share}
	}
	return &estimate.Factor{Low: 0, Likely: share, High: 1}
}

// reported takes the median for likely, and not a moving average: one odd pull does
// not move it, and it does not depend on which pull came last. The bounds are the
// extremes, with a tenth to spare.
func (t *Tally) reported() *estimate.Factor {
	if len(t.factors.values) < minFactors {
		return nil
	}
	factors := withoutOutliers(slices.Sorted(slices.Values(t.factors.values)))
	low, high := factors[0], factors[len(factors)-1]
	return &estimate.Factor{Low: low * 0.9, Likely: median(factors), High: high * 1.1}
}

// withoutOutliers drops what is farther from the median than three times the median
// distance, and than a tenth of it: with images of one kind, any distance would do.
// Where that is more than a quarter of all, they are no outliers but another kind of
// image, and all of them stay. sorted is not changed.
func withoutOutliers(sorted []float64) []float64 {
	if len(sorted) < minForOutliers {
		return sorted
	}
	middle := median(sorted)
	distances := make([]float64, len(sorted))
	for i, factor := range sorted {
		distances[i] = math.Abs(factor - middle)
	}
	slices.Sort(distances)
	limit := max(3*median(distances), middle/10)
	var rest []float64
	for _, factor := range sorted {
		if math.Abs(factor-middle) <= limit {
			rest = append(rest, factor)
		}
	}
	if len(sorted)-len(rest) > len(sorted)/4 {
		return sorted
	}
	return rest
}

// median is of at least one value, in order.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ring holds the last few values.
type ring[T any] struct {
	values []T
	next   int
}

func (r *ring[T]) push(value T, limit int) {
	if len(r.values) < limit {
		r.values = append(r.values, value)
		return
	}
	r.values[r.next] = value
	r.next = (r.next + 1) % limit
}
