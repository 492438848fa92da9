// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

const mi = 1 << 20

// pulls of an image of 100 Mi in blobs and 250 Mi unpacked, give or take what else is written.
var (
	keptPull      = imagesize.Pull{TakenBytes: 352 * mi, BlobBytes: 100 * mi, Unpacked: estimate.Between(245*mi, 250*mi, 260*mi)}
	discardedPull = imagesize.Pull{TakenBytes: 248 * mi, BlobBytes: 100 * mi, Unpacked: estimate.Between(245*mi, 250*mi, 260*mi)}
)

func reportedPull(factor float64) imagesize.Pull {
	return imagesize.Pull{TakenBytes: int64(factor * 100 * mi), ReportedBytes: 100 * mi, BlobBytes: -1}
}

func TestTallyAdd(t *testing.T) {
	with := func(p imagesize.Pull, change func(*imagesize.Pull)) imagesize.Pull {
		change(&p)
		return p
	}
	for name, tc := range map[string]struct {
		pull imagesize.Pull
		want imagesize.Outcome
	}{
		"blobs were kept":                     {keptPull, imagesize.OutcomeUsed},
		"blobs were discarded":                {discardedPull, imagesize.OutcomeUsed},
		"between the two":                     {with(keptPull, func(p *imagesize.Pull) { p.TakenBytes = 300 * mi }), imagesize.OutcomeOutlier},
		"more than both":                      {with(keptPull, func(p *imagesize.Pull) { p.TakenBytes = 400 * mi }), imagesize.OutcomeOutlier},
		"nothing was taken":                   {with(keptPull, func(p *imagesize.Pull) { p.TakenBytes = 0 }), imagesize.OutcomeOutlier},
		"a disk that grew":                    {with(keptPull, func(p *imagesize.Pull) { p.TakenBytes = -1 }), imagesize.OutcomeOutlier},
		"blobs that are not known":            {with(keptPull, func(p *imagesize.Pull) { p.BlobBytes = -1 }), imagesize.OutcomeUnknown},
		"blobs below a tenth":                 {with(keptPull, func(p *imagesize.Pull) { p.BlobBytes = 24 * mi }), imagesize.OutcomeTooSmall},
		"blobs below 8 Mi":                    {imagesize.Pull{TakenBytes: 24 * mi, BlobBytes: 8*mi - 1, Unpacked: estimate.Exactly(16 * mi)}, imagesize.OutcomeTooSmall},
		"an interval that is too wide":        {with(keptPull, func(p *imagesize.Pull) { p.Unpacked.Low = 230 * mi }), imagesize.OutcomeVague},
		"an interval without an upper bound":  {with(keptPull, func(p *imagesize.Pull) { p.Unpacked.High = math.MaxInt64 }), imagesize.OutcomeVague},
		"nothing likely, but something":       {imagesize.Pull{TakenBytes: mi, BlobBytes: 9 * mi, Unpacked: estimate.Between(0, 0, mi)}, imagesize.OutcomeVague},
		"so small that both would do":         {imagesize.Pull{TakenBytes: 28 * mi, BlobBytes: 8 * mi, Unpacked: estimate.Exactly(24 * mi)}, imagesize.OutcomeAmbiguous},
		"no layers, a reported size":          {reportedPull(3), imagesize.OutcomeUsed},
		"no layers, all of it was there":      {reportedPull(0), imagesize.OutcomeUsed},
		"no layers, a reported size of bytes": {imagesize.Pull{TakenBytes: 3 * mi, ReportedBytes: mi - 1, BlobBytes: -1}, imagesize.OutcomeTooSmall},
		"no layers, beyond any factor":        {reportedPull(6.1), imagesize.OutcomeOutlier},
		"no layers, no reported size":         {imagesize.Pull{TakenBytes: mi, BlobBytes: 9 * mi}, imagesize.OutcomeUnknown},
		"a reported size below zero":          {imagesize.Pull{TakenBytes: mi, ReportedBytes: -9}, imagesize.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			var tally imagesize.Tally
			if got := tally.Add(tc.pull); got != tc.want {
				t.Errorf("outcome %s, want %s", got, tc.want)
			}
			observations := 0
			if tc.want == imagesize.OutcomeUsed {
				observations = 1
			}
			if diff := cmp.Diff(imagesize.Learned{Observations: observations}, tally.Learned(1)); diff != "" {
				t.Errorf("after one pull (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTallyLearned(t *testing.T) {
	times := func(n int, p imagesize.Pull) []imagesize.Pull { return slices.Repeat([]imagesize.Pull{p}, n) }
	factors := func(all ...float64) (pulls []imagesize.Pull) {
		for _, f := range all {
			pulls = append(pulls, reportedPull(f))
		}
		return pulls
	}
	for name, tc := range map[string]struct {
		pulls          []imagesize.Pull
		kept, reported *estimate.Factor
	}{
		"two votes":                {times(2, keptPull), nil, nil},
		"three votes for kept":     {times(3, keptPull), &estimate.Factor{Low: 1, Likely: 1, High: 1}, nil},
		"three votes for discards": {times(3, discardedPull), &estimate.Factor{}, nil},
		"one of three differs":     {append(times(2, keptPull), discardedPull), &estimate.Factor{Low: 0, Likely: 2.0 / 3, High: 1}, nil},
		"one of each":              {[]imagesize.Pull{keptPull, discardedPull}, nil, nil},
		"the pool has changed":     {append(times(9, keptPull), times(16, discardedPull)...), &estimate.Factor{}, nil},
		"it is about to":           {append(times(9, keptPull), times(15, discardedPull)...), &estimate.Factor{Low: 0, Likely: 1.0 / 16, High: 1}, nil},

		"four factors":                        {factors(2, 2, 2, 2), nil, nil},
		"five factors":                        {factors(2, 4, 3, 2, 4), nil, &estimate.Factor{Low: 1.8, Likely: 3, High: 4.4}},
		"an image that was there by others":   {factors(2, 4, 3, 0, 4), nil, &estimate.Factor{Low: 0, Likely: 3, High: 4.4}},
		"seven are too few for an outlier":    {factors(2, 2, 2, 2, 2, 2, 5), nil, &estimate.Factor{Low: 1.8, Likely: 2, High: 5.5}},
		"an outlier among eight":              {factors(2, 2, 2, 2, 2, 2, 2, 5), nil, &estimate.Factor{Low: 1.8, Likely: 2, High: 2.2}},
		"less than a tenth is no outlier":     {factors(2, 2, 2, 2, 2, 2, 2, 2.1), nil, &estimate.Factor{Low: 1.8, Likely: 2, High: 2.31}},
		"two kinds of images, one less often": {factors(4, 4, 4, 4, 4, 2, 2, 2), nil, &estimate.Factor{Low: 1.8, Likely: 4, High: 4.4}},
		"the last 32 count":                   {append(factors(1), factors(slices.Repeat([]float64{3}, 32)...)...), nil, &estimate.Factor{Low: 2.7, Likely: 3, High: 3.3}},
	} {
		t.Run(name, func(t *testing.T) {
			var tally imagesize.Tally
			for i, p := range tc.pulls {
				p.Namespace = strconv.Itoa(i % 2)
				tally.Add(p)
			}
			learned := tally.Learned(1)
			about := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-6 })
			if diff := cmp.Diff(tc.kept, learned.Kept, about); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.reported, learned.Reported, about); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
			if learned.Observations != len(tc.pulls) {
				t.Errorf("%d observations, want %d", learned.Observations, len(tc.pulls))
			}
		})
	}
}

// TestTallyKeptTakesVoters: what few nodes of a pool do is likely for the others, and not certain.
func TestTallyKeptTakesVoters(t *testing.T) {
	certain := func(share float64) *estimate.Factor {
		return &estimate.Factor{Low: share, Likely: share, High: share}
	}
	likely := func(share float64) *estimate.Factor {
		return &estimate.Factor{Low: 0, Likely: share, High: 1}
	}
	for name, tc := range map[string]struct {
		votes string // by node, one letter each: a capital for kept
		nodes int
		want  *estimate.Factor
	}{
		"two votes of two nodes":                      {"AB", 2, nil},
		"three of the only node":                      {"AAA", 1, certain(1)},
		"three of one of two nodes":                   {"AAA", 2, likely(1)},
		"three of one of a hundred, discarded":        {"aaa", 100, likely(0)},
		"sixteen of one of a hundred":                 {"AAAAAAAAAAAAAAAA", 100, likely(1)},
		"three of both nodes":                         {"AAB", 2, certain(1)},
		"three of two of three nodes":                 {"aab", 3, likely(0)},
		"three of three of three nodes":               {"abc", 3, certain(0)},
		"three of three of a hundred":                 {"ABC", 100, certain(1)},
		"three of three of a hundred that disagree":   {"ABc", 100, likely(2.0 / 3)},
		"the only node disagrees with itself":         {"AAa", 1, likely(2.0 / 3)},
		"the pool has lost all nodes":                 {"AAA", 0, certain(1)},
		"a voter whose votes are older than the last": {"BCAAAAAAAAAAAAAAAA", 3, likely(1)},
	} {
		t.Run(name, func(t *testing.T) {
			var tally imagesize.Tally
			for i, voter := range tc.votes {
				p := discardedPull
				if unicode.IsUpper(voter) {
					p = keptPull
				}
				p.Node, p.Namespace = string(unicode.ToLower(voter)), strconv.Itoa(i%2)
				if outcome := tally.Add(p); outcome != imagesize.OutcomeUsed {
					t.Fatalf("outcome %s", outcome)
				}
			}
			if diff := cmp.Diff(tc.want, tally.Learned(tc.nodes).Kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTallyDoesNotMindTheOrder shuffles what fits the rings.
func TestTallyDoesNotMindTheOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var pulls []imagesize.Pull
		for range random.IntN(17) {
			p := []imagesize.Pull{keptPull, discardedPull}[random.IntN(2)]
			p.Node, p.Namespace = strconv.Itoa(random.IntN(4)), strconv.Itoa(random.IntN(3))
			pulls = append(pulls, p)
		}
		for range random.IntN(33) {
			pulls = append(pulls, reportedPull(random.Float64()*6))
		}
		var first, second imagesize.Tally
		for _, p := range pulls {
			first.Add(p)
		}
		random.Shuffle(len(pulls), func(i, j int) { pulls[i], pulls[j] = pulls[j], pulls[i] })
		for _, p := range pulls {
			second.Add(p)
		}
		if diff := cmp.Diff(first.Learned(9), second.Learned(9)); diff != "" {
			t.Fatalf("%d pulls in another order (-first +second):\n%s", len(pulls), diff)
		}
	}
}

// FuzzTally: whatever comes, nothing is learned from too little, and what is learned is a factor.
func FuzzTally(f *testing.F) {
	f.Add(int64(3*mi), int64(mi), int64(-1), int64(0), int64(0), int64(0), uint8(40))
	f.Add(int64(352*mi), int64(0), int64(100*mi), int64(245*mi), int64(250*mi), int64(255*mi), uint8(3))
	f.Add(int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64), int64(-1), uint8(9))
	f.Add(int64(math.MinInt64), int64(math.MaxInt64), int64(math.MinInt64), int64(0), int64(0), int64(math.MaxInt64), uint8(255))
	f.Fuzz(func(t *testing.T, taken, reported, blobs, low, likely, high int64, n uint8) {
		var tally imagesize.Tally
		p := imagesize.Pull{TakenBytes: taken, ReportedBytes: reported, BlobBytes: blobs, Unpacked: estimate.Bytes{Low: low, Likely: likely, High: high}}
		used, nodes := 0, 1+int(n)%5
		for i := range int(n) {
			p.Node, p.Namespace = strconv.Itoa(i%2), strconv.Itoa(i%3)
			outcome := tally.Add(p)
			if !slices.Contains(imagesize.Outcomes(), outcome) {
				t.Fatalf("%+v: outcome %q", p, outcome)
			}
			if outcome == imagesize.OutcomeUsed {
				used++
			}
			tally.AddUsed("a", taken, p.Unpacked, time.Unix(taken%1000, 0))
			tally.AddUsed("b", blobs, p.Unpacked, time.Unix(blobs%1000, 0))
			p.TakenBytes += int64(i) * int64(n) // wraps
		}
		learned := tally.Learned(nodes)
		switch {
		case learned.Observations != used:
			t.Errorf("%d observations, want %d", learned.Observations, used)
		case learned.Kept != nil && (used < 3 || !learned.Kept.Valid() || learned.Kept.High > 1):
			t.Errorf("kept is %+v after %d pulls", *learned.Kept, used)
		case learned.Kept != nil && learned.Kept.Low == learned.Kept.High && nodes > 2:
			t.Errorf("kept is %+v after the pulls of two of %d nodes", *learned.Kept, nodes)
		case learned.Reported != nil && (used < 5 || !learned.Reported.Valid() || learned.Reported.High > 6.6+1e-9):
			t.Errorf("reported is %+v after %d pulls", *learned.Reported, used)
		case learned.Lazy && n < 2:
			t.Errorf("lazy after %d samples", n)
		}
	})
}
