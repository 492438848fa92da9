// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// survey is one evaluation under way: what has been learned from the candidate nodes so far.
type survey struct {
	snapshot *ledger.Snapshot
	policy   *policy.Policy
	request  *Request
	workload *Workload // of the request
	images   []imageref.Image
	leftOut  int // further images that the pod has
	sizes    *sizes
	accounts *ledger.Accounts

	// possible are the nodes that the pod could ever land on, at their optimistic bound; ever the same ones at their likely
	// value; ready those that could take it now, at their likely value.
	possible, ever, ready tally
	// pastIfHuge counts the possible nodes past denyAt if every unsized image were larger than any disk.
	pastIfHuge int
	// binding is set where the pod's node has been chosen.
	binding bool
	// total is of the possible nodes. left is what pods that wait leave of it, nil where that is not what decides.
	total total
	left  *int64
	// waiting are the pods that wait, and seen the possible nodes, in order, if there are such pods.
	waiting []ledger.Waiting
	seen    []seen
	// mostNeeded is the likely need on the possible node where the pod needs most.
	mostNeeded int64
	// objects is set where the pod would be warned about or refused, in a mode that does so.
	objects bool
	// held counts the possible nodes that are not ready and likely have all images: replicas of a template may run there.
	// heldPlaces is how many they can hold.
	held       int
	heldPlaces int64
	// pools are those of the possible nodes.
	pools map[*policy.NodePool]*pool
	// unsized and waitFor mark the images, by index, whose size nobody told: that some possible node may lack, and that one
	// certainly lacks if they are huge.
	unsized, waitFor []bool
	// missing marks the images that some possible node does not have, or may not.
	missing   []bool
	platforms map[Platform]bool
	// autoscaled memoizes pointsToAutoscaler, inhabited what hasNodes asks.
	autoscaled *bool
	inhabited  map[*policy.NodePool]bool
	// widest is what the largest known disk of each pool holds, where that is known: nil where it is not.
	widest map[*policy.NodePool]int64
	// huge memoizes refusedIfHuge, added and addedIfHuge the two answers of newNode.
	huge               *bool
	added, addedIfHuge *newNode
}

func newSurvey(s *ledger.Snapshot, r *Request, p *policy.Policy, now time.Time) *survey {
	images, leftOut := mostNeeded(s, p, r.wanted())
	v := &survey{
		snapshot: s, policy: p, request: r, workload: r.Workload, images: images, leftOut: leftOut,
		sizes: newSizes(s, p, images),
		pools: make(map[*policy.NodePool]*pool), platforms: make(map[Platform]bool),
		unsized: make([]bool, len(images)), waitFor: make([]bool, len(images)), missing: make([]bool, len(images)),
	}
	refs := make([]imageref.Ref, len(images))
	for i := range images {
		refs[i] = images[i].Ref
	}
	from := view(v.sizes, p, now)
	from.Pod, from.Namespace, from.Images = r.UID, r.Namespace, refs
	v.accounts = s.Accounts(from)
	v.begin()
	return v
}

// begin makes the survey one that has seen no node.
func (s *survey) begin() {
	s.possible, s.ready = tally{threshold: s.policy.DenyAt}, tally{threshold: warnAt(s.policy)}
	s.ever = s.ready
	s.total, s.pastIfHuge, s.held, s.heldPlaces = total{lacks: unbounded, need: amount{unbounded, true}}, 0, 0, 0
	if s.everyNode() {
		s.ever.worst, s.ready.worst = new(ranked), new(ranked)
	}
}

// view is how this package looks at nodes, for no pod yet.
func view(z *sizes, p *policy.Policy, now time.Time) ledger.View {
	return ledger.View{
		Now: now, Size: z.of, Stored: z.stored, SizeClass: func(row *ledger.NodeRow) any { return z.classOf(row) },
		DeclaredBytes: z.declared, MaxStaleness: p.MaxStaleness,
	}
}

// warnAt is the policy's, or denyAt where that is milder: what would be refused is always warned about.
func warnAt(p *policy.Policy) verdict.Verdict {
	if p.WarnAt.AtLeast(p.DenyAt) {
		return p.DenyAt
	}
	return p.WarnAt
}

// run looks at every candidate, and at what pods that wait take of them. It reports whether the node that the request names, if
// any, is there.
func (s *survey) run() bool {
	// What would be, if a pod came again elsewhere, has nothing to do with who waits just now.
	now := s.request.NotOn == nil
	if now && !s.everyNode() && !s.policy.DenyAt.AtLeast(verdict.NeverFits) {
		s.waiting = s.accounts.Waiting(waitingMaxAge, maxWaiting)
	}
	known := s.look()
	s.heedWaiting()
	return known
}

func (s *survey) look() bool {
	startup := startupTaints(s.policy)
	if name := s.request.nodeName(); name != "" {
		row, known := s.snapshot.Node(name)
		if !known {
			return false
		}
		if possible, ready := s.lands(row, startup); possible {
			s.add(row, ready)
		}
		return true
	}
	for row := range s.snapshot.Nodes() {
		if possible, ready := s.lands(row, startup); possible {
			s.add(row, ready)
		}
	}
	return true
}

// lands reports whether the pod could ever be scheduled to the node, and whether it could be now.
func (s *survey) lands(row *ledger.NodeRow, startup func(string) bool) (possible, ready bool) {
	if s.request.NotOn[row.Name] {
		return false, false
	}
	if c := s.request.Placement; c != nil && s.everyNode() {
		// The pods wait for room, each at its node.
		return landsOn(row, c, c.Requests(), startup)
	}
	return landsOn(row, s.request.Placement, row.Free(), startup)
}

// landsOn is lands for a pod with these constraints on a node that has so much free.
func landsOn(row *ledger.NodeRow, c *placement.Constraints, free placement.Resources, startup func(string) bool) (possible, ready bool) {
	switch {
	case c == nil:
		return true, row.Ready && !row.Unschedulable
	case !c.Possible(&row.Node.Node, startup):
		return false, false
	default:
		return true, c.Likely(&row.Node.Node, free)
	}
}

func startupTaints(p *policy.Policy) func(string) bool {
	keys := make(map[string]bool, len(p.StartupTaints))
	for _, key := range p.StartupTaints {
		keys[key] = true
	}
	return func(key string) bool { return keys[key] }
}

// add takes one possible node into account.
func (s *survey) add(row *ledger.NodeRow, ready bool) {
	class := s.sizes.classOf(row)
	result, d, expected := s.judge(row, class, s.ready.threshold)
	result.Likely = ready
	s.take(row, class, &result, &d, expected)
}

// take takes what was found out about one possible node into account.
func (s *survey) take(row *ledger.NodeRow, class *class, r *NodeResult, d *demand, expected figures) {
	account, ready := r.Account, r.Likely
	result := *r
	exact := isExact(&account)
	best := optimistic(*d, &account)
	s.heed(row, class, &result, best)
	s.possible.add(&result, result.Optimistic, best, exact)
	if d.huge && blind(&account) == "" && !account.Old || result.Optimistic.AtLeast(s.policy.DenyAt) {
		s.pastIfHuge++
	}
	s.ever.add(&result, result.LikelyVerdict, expected, exact)
	if ready {
		s.ready.add(&result, result.LikelyVerdict, expected, exact)
	}
	if s.workload != nil {
		s.addForTemplate(row, &result)
	}
	s.addToPool(row, class, &account)
}

// judge returns what the pod would do to one node, and its figures at the most likely values.
func (s *survey) judge(row *ledger.NodeRow, c *class, warnAt verdict.Verdict) (NodeResult, demand, figures) {
	account := s.accounts.Of(row)
	if s.binding {
		onlyCertain(&account)
	}
	d := s.demand(row, &account, c)
	s.mostNeeded = max(s.mostNeeded, d.need.Likely)
	margin := s.policy.SafetyMargin.Of(account.CapacityBytes)
	return judge(row.Name, &account, d, margin, warnAt, s.policy.DenyAt), d, likely(d, margin, &account)
}

// marked returns the images that are marked.
func (s *survey) marked(marks []bool) []imageref.Ref {
	var refs []imageref.Ref
	for i, marked := range marks {
		if marked {
			refs = append(refs, s.images[i].Ref)
		}
	}
	return refs
}
