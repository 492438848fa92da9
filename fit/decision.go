// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// Action is what becomes of the request.
type Action string

// The actions.
const (
	Allow Action = "Allow"
	Warn  Action = "Warn"
	Deny  Action = "Deny"
)

// Platform is what a registry chooses a manifest by: for callers that may not import imagesize.
type Platform = imagesize.Platform

// Ref is an image's canonical name: for callers that may not import imageref.
type Ref = imageref.Ref

// NodeResult is one candidate node's numbers.
type NodeResult struct {
	Node string
	// Optimistic is the verdict when every unknown turns out in the pod's
	// favour; LikelyVerdict the one at the most likely values.
	Optimistic, LikelyVerdict verdict.Verdict
	// Why an Unknown is one; empty otherwise.
	Why       Reason
	Likely    bool // the pod could be scheduled there now
	Need      estimate.Bytes
	Projected estimate.Bytes // available after the pull
	Account   ledger.Account
}

// Counts is how many nodes have each verdict. It is an array, so that it can be compared.
type Counts [7]int

// Of returns the count of v.
func (c Counts) Of(v verdict.Verdict) int { return c[position(v)] }

func (c *Counts) add(v verdict.Verdict) { c[position(v)]++ }

// position is v's index in verdict.All.
func position(v verdict.Verdict) int {
	if s := v.Severity(); s >= 0 {
		return s
	}
	return len(Counts{}) - 1
}

// Decision is the answer for one pod. It is a value: equal arguments of
// [Evaluate] give equal decisions.
type Decision struct {
	Action Action
	// Verdict explains the action: for Deny what happens even on the best possible node at its optimistic bound, for a
	// warning what likely happens on the best of the overloaded nodes, otherwise on the best likely node.
	Verdict verdict.Verdict
	Reason  Reason // empty when nothing held the decision back
	// Exemption says which exemption applied: "namespace" or "priorityClass".
	Exemption string
	Mode      policy.Mode // in force for this pod
	// PolicyVersion is that of the policy that was decided by. See policy.Policy.
	PolicyVersion string
	// ModeIgnored says why the namespace's mode label was not followed; empty when it was, or there is none. It is for
	// annotations, not for users.
	ModeIgnored string

	// Best is the candidate the verdict is about. Zero when there is none.
	Best NodeResult
	// Exception names the policy's exception that applied, or that would in a stricter mode; empty for none. Exceeded names
	// one that would have but for its allowance.
	Exception, Exceeded string
	// CanTake counts, among the nodes that Overloaded is about, those that could take one pod without reaching warnAt.
	CanTake int
	// Waiting says that the pod would fit on the best node, and all figures are as if it did; but pods of its namespace that
	// wait for a node leave too little for it. Verdict is then the mildest that comes of it.
	Waiting bool
	// Need is the pod's need on the best node.
	Need estimate.Bytes
	// Possible and Likely count the candidate nodes of each kind; Overloaded
	// counts the nodes at or past warnAt among the likely ones, or among the possible ones where none is likely.
	Possible, Likely, Overloaded int
	// Counts has the likely verdicts of the same nodes that Overloaded is about.
	Counts Counts
	// Tier is the worst tier of the data the decision rests on.
	Tier ledger.Tier
	// Message is the one sentence for people. It is always set; the webhook shows it for Warn and Deny only.
	Message string
	// CauseCode is the stable reason code of a denial, for status.details.causes.
	CauseCode string
	// Unsized are the images that some possible node lacks, or may lack, and whose size nobody told.
	Unsized []imageref.Ref
	// Invalid are the images whose names do not parse.
	Invalid []imageref.Invalid
	// LeftOut is how many distinct images were not looked at, because the pod has too many. They count as if it did not have them.
	LeftOut int
	// WaitFor are the unsized images whose size could turn this answer into a
	// denial: worth a short wait for the registry. Empty otherwise.
	WaitFor []imageref.Ref
	// WaitPlatforms are those for which the sizes of WaitFor are wanted, in order.
	WaitPlatforms []Platform
}

// causeCode returns the stable code of a denial with this verdict.
func causeCode(v verdict.Verdict) string { return "ImageStorage" + string(v) }
