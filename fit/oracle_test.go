// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// oracle decides a second time, slowly and in the words of the design: node by node, into lists, without any memo. It takes
// from the ledger only what the ledger is asked for, and shares no code with Evaluate but the types.
type oracle struct {
	s   *ledger.Snapshot
	r   Request
	p   *policy.Policy
	now time.Time
	// wishes are the pod's.
	wishes wishes
	// spoken says that pods which wait leave no room, as arrivals finds out.
	spoken bool
}

type opinion struct {
	action                       Action
	verdict                      verdict.Verdict
	reason                       Reason
	possible, likely, overloaded int
	canTake                      int
	waits                        bool
}

type judged struct {
	row                *ledger.NodeRow
	account            ledger.Account
	optimistic, likely verdict.Verdict
	need               int64 // likely
	ready              bool
	why                Reason
}

func (o oracle) size(row *ledger.NodeRow, ref imageref.Ref) imagesize.Size {
	e := o.s.Evidence(ref, row.Runtime, imagesize.Platform{OS: row.OS, Architecture: row.Architecture})
	for _, entry := range o.p.Images {
		if pattern, err := imageref.ParsePattern(entry.Match); err == nil && pattern.Matches(ref) && e.OperatorBytes == 0 {
			e.OperatorBytes = entry.SizeBytes
		}
	}
	if o.p.UnknownImage.HighBytes > 0 {
		e.Assumed = &estimate.Bytes{Likely: o.p.UnknownImage.LikelyBytes, High: o.p.UnknownImage.HighBytes}
	}
	var factor *estimate.Factor
	if pool := o.p.PoolOf(row.Labels); pool != nil {
		factor = pool.DiskFactor
	}
	return e.OnDisk(row.Runtime, factor)
}

func (o oracle) account(row *ledger.NodeRow) ledger.Account {
	var refs []imageref.Ref
	for _, image := range o.r.Images {
		refs = append(refs, image.Ref)
	}
	return o.s.Account(row, ledger.View{
		Now: o.now, Pod: o.r.UID, Namespace: o.r.Namespace, Images: refs, Size: func(row *ledger.NodeRow, ref imageref.Ref, _ imagesize.There) imagesize.Size { return o.size(row, ref) }, MaxStaleness: o.p.MaxStaleness,
		DeclaredBytes: func(row *ledger.NodeRow) int64 {
			if pool := o.p.PoolOf(row.Labels); pool != nil {
				return pool.ImageFilesystemBytes
			}
			return 0
		},
	})
}

// need returns the three sums, and whether some size is unknown, for a node or for an empty one. huge stands for the low
// bound of sizes that nobody told.
func (o oracle) need(row *ledger.NodeRow, a ledger.Account, empty bool, huge int64) (low, likely, high int64, unknown bool) {
	for _, image := range o.r.Images {
		if image.PullPolicy == corev1.PullNever || !empty && slices.Contains(a.Pulling, image.Ref) {
			continue
		}
		size := o.size(row, image.Ref)
		bytes := size.Disk
		told := size.Source == imagesize.SourceNode || size.Source == imagesize.SourceRegistry || size.Source == imagesize.SourceOperator
		presence := row.Presence(image.Ref)
		// What is larger than all that is on the disk is not on it, unless it came after the sample.
		bounded := a.Tier == ledger.Measured && !wantedByPods(row, image.Ref)
		if presence == ledger.PresenceUnsure && bounded && bytes.Low > a.CapacityBytes-a.Measured.Likely {
			presence = ledger.Absent
		}
		if empty {
			presence = ledger.Absent
		}
		switch presence {
		case ledger.Present:
			if image.PullPolicy == corev1.PullAlways && image.Ref.Digest() == "" {
				high = estimate.SaturatingAdd(high, bytes.High)
			}
			continue
		case ledger.PresenceUnsure:
			bytes.Low = 0
			listed, _ := row.ImagesListed()
			cut := row.ListCut() && listed > 0 && row.Runtime == imagesize.Containerd
			if huge > 0 && !told && (cut || bounded) {
				bytes.Low = huge
			}
		case ledger.Absent:
			if !told {
				bytes.Low = huge
			}
		}
		unknown = unknown || size.Source == imagesize.SourceUnknown
		low = estimate.SaturatingAdd(low, bytes.Low)
		likely = estimate.SaturatingAdd(likely, bytes.Likely)
		high = estimate.SaturatingAdd(high, bytes.High)
	}
	return low, likely, high, unknown
}

func wantedByPods(row *ledger.NodeRow, ref imageref.Ref) bool {
	for pod := range row.Pods() {
		for _, image := range pod.Images {
			for _, name := range []imageref.Ref{image.Ref, image.ImageID} {
				if (name == ref || ref.Digest() != "" && name.Digest() == ref.Digest()) && (!pod.Finished || image.Pulled) {
					return true
				}
			}
		}
	}
	return false
}

// table is the table of the design, read from the bottom so that the worst that holds counts. reclaimable is nil where
// nobody deletes images; inodes says that they are short.
func table(need, available int64, reclaimable *int64, a ledger.Account, inodes bool) verdict.Verdict {
	if need <= 0 {
		return verdict.Fits
	}
	evicts := a.EvictionLineBytes > 0
	projected := available - min(need, 1<<50)
	after := projected
	if reclaimable != nil {
		after += *reclaimable
	}
	v := verdict.Fits
	switch {
	case need > a.CapacityBytes-a.EvictionLineBytes:
		v = verdict.NeverFits
	case after <= 0:
		v = verdict.FillsDisk
	case evicts && projected < a.EvictionLineBytes && after < a.EvictionTargetBytes:
		v = verdict.EvictsPods
	case evicts && projected < a.EvictionLineBytes:
		v = verdict.PressuresDisk
	case projected < a.GCLineBytes || projected <= 0:
		v = verdict.TriggersGC
	}
	if inodes && (v == verdict.Fits || v == verdict.TriggersGC) {
		v = verdict.PressuresDisk
	}
	return v
}

// byBounds returns the verdicts of a node at its two bounds.
func (o oracle) byBounds(low, likely int64, a ledger.Account) (optimistic, expected verdict.Verdict) {
	atBest, expectedly := &a.Reclaimable.High, &a.Reclaimable.Likely
	if a.EvictionLineBytes == 0 {
		// Nobody deletes images before the disk is full, unless the garbage collection happens to come in time.
		expectedly = nil
		if a.GCLineBytes == 0 {
			atBest = nil
		}
	}
	inodes := a.InodesFree < a.InodeLine
	margin := o.p.SafetyMargin.Of(a.CapacityBytes)
	return table(low, a.Available.High, atBest, a, inodes), table(likely, a.Available.Likely-margin, expectedly, a, inodes)
}

func (o oracle) judge(huge int64) []judged {
	var all []judged
	startup := func(key string) bool { return slices.Contains(o.p.StartupTaints, key) }
	for row := range o.s.Nodes() {
		if !o.r.Placement.Possible(&row.Node.Node, startup) {
			continue
		}
		a := o.account(row)
		low, likely, high, unknown := o.need(row, a, false, huge)
		j := judged{row: row, account: a, need: likely, ready: o.r.Placement.Likely(&row.Node.Node, o.free(row))}
		usable := !a.Stale && a.CapacityBytes > 0 && (a.Tier == ledger.Measured || a.Tier == ledger.Declared)
		switch {
		case high == 0 && !unknown:
			j.optimistic, j.likely = verdict.Fits, verdict.Fits
		case !usable:
			j.optimistic, j.likely, j.why = verdict.Unknown, verdict.Unknown, NotMeasured
			if a.Stale {
				j.why = StaleSample
			}
		default:
			j.optimistic, j.likely = o.byBounds(low, likely, a)
			if a.Old && j.optimistic.AtLeast(o.p.DenyAt) {
				j.optimistic, j.why = verdict.Unknown, StaleSample
			}
			if unknown && j.likely.Severity() < o.p.WarnAt.Severity() {
				j.likely, j.why = verdict.Unknown, UnknownSize
			}
		}
		all = append(all, j)
	}
	return all
}

func (o oracle) denies(all []judged) bool {
	for _, j := range all {
		if j.optimistic == verdict.Unknown || j.optimistic.Severity() < o.p.DenyAt.Severity() {
			return false
		}
	}
	return len(all) > 0
}

// decide follows the two rules for a pod with images in a ledger that is synced.
func (o oracle) decide(mode policy.Mode) opinion {
	const huge = 1 << 60
	all := o.judge(0)
	everyNode := o.r.Workload != nil && o.r.Workload.EveryNode
	op := opinion{action: Allow, verdict: verdict.Unknown, possible: len(all)}
	if w := o.r.Workload; w != nil && !w.EveryNode && w.Replicas <= 0 {
		return opinion{action: Allow, verdict: verdict.Fits, reason: NoReplicas}
	}
	if len(all) == 0 {
		op.reason = NoCandidate
		return op
	}
	var scope []judged
	for _, j := range all {
		if j.ready {
			scope = append(scope, j)
		}
	}
	op.likely = len(scope)
	if len(scope) == 0 {
		scope = all
	}
	denies := o.spoken || o.denies(all)
	elastic := denies && o.elastic(all, 0)
	hugeAll := o.judge(huge)
	hugeDenies := (!denies || elastic) && o.denies(hugeAll) && !o.elastic(hugeAll, huge)

	best, bestPast, undecided := verdict.Unknown, verdict.Unknown, Reason("")
	for _, j := range scope {
		if j.likely == verdict.Unknown {
			undecided = worse(undecided, j.why)
			continue
		}
		if best == verdict.Unknown || j.likely.Severity() < best.Severity() {
			best = j.likely
		}
		if j.likely.Severity() >= o.p.WarnAt.Severity() {
			op.overloaded++
			if bestPast == verdict.Unknown || j.likely.Severity() < bestPast.Severity() {
				bestPast = j.likely
			}
		}
	}
	op.canTake = o.canTake(scope)
	if everyNode {
		return o.everyNode(op, scope, mode)
	}
	switch {
	case denies && !elastic && mode == policy.Enforce:
		op.action, op.verdict = Deny, verdict.NeverFits
		if o.r.Workload != nil {
			op.action = Warn
		}
		for _, j := range all {
			if j.optimistic.Severity() < op.verdict.Severity() {
				op.verdict = j.optimistic
			}
		}
		if o.spoken {
			op.verdict = o.p.DenyAt
		}
		return op
	case o.spoken:
		if op.verdict = o.p.DenyAt; mode == policy.Warn || mode == policy.Enforce {
			op.action = Warn
		}
	case 2*op.overloaded > len(scope), o.crowds(op, all, scope):
		op.verdict = bestPast
		if mode == policy.Warn || mode == policy.Enforce {
			op.action = Warn
		}
	case best.Severity() >= 0 && best.Severity() < o.p.WarnAt.Severity(), undecided == "":
		op.verdict = best
	}
	op.reason = o.why(all, denies, elastic)
	if op.reason == "" && op.verdict == verdict.Unknown {
		op.reason = undecided
	}
	if op.reason == "" && hugeDenies {
		op.reason = UnknownSize
	}
	op.waits = mode == policy.Enforce && hugeDenies
	return op
}

// why returns what held a denial back.
func (o oracle) why(all []judged, denies, elastic bool) Reason {
	if denies && elastic {
		return ElasticPool
	}
	var reason Reason
	for _, j := range all {
		if j.optimistic == verdict.Unknown {
			reason = worse(reason, j.why)
		} else if j.optimistic.Severity() < o.p.DenyAt.Severity() {
			return ""
		}
	}
	return reason
}

// worse returns the reason that is given where both hold.
func worse(a, b Reason) Reason {
	for _, r := range []Reason{StaleSample, NotMeasured, UnknownSize} {
		if a == r || b == r {
			return r
		}
	}
	return ""
}
