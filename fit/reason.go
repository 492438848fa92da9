// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

// Reason says why there is no opinion, or why a stronger action was not taken.
// It is a metric label and an audit annotation: a closed set, see [Reasons] and [SteeringReasons].
type Reason string

// The reasons.
const (
	NotSynced     Reason = "not-synced"    // the ledger has not seen the first lists
	NoCandidate   Reason = "no-candidate"  // no node could ever take the pod
	UnknownNode   Reason = "unknown-node"  // spec.nodeName names a node that is not in the ledger
	UnknownSize   Reason = "unknown-size"  // an image whose size nobody told decides
	NotMeasured   Reason = "not-measured"  // a candidate's capacity is assumed or unknown
	StaleSample   Reason = "stale"         // a candidate's sample is older than maxStaleness
	ElasticPool   Reason = "elastic-pool"  // a new node of an elastic pool could take it
	Excepted      Reason = "excepted"      // an exception of the policy lets it through
	ExemptPod     Reason = "exempt"        // the policy exempts its namespace or priority class
	ModeOff       Reason = "off"           // the policy's mode is Off
	NoImages      Reason = "no-images"     // nothing to pull
	NoReplicas    Reason = "no-replicas"   // a template of which no pod is wanted now
	InvalidImages Reason = "invalid-image" // an image name that does not parse: left out of the sum
	ManyImages    Reason = "many-images"   // more images than are looked at: those that need least are left out
)

// The reasons that only bindings have.
const (
	UnknownPod  Reason = "unknown-pod"   // no pod of that UID and name waits to be bound, as far as the ledger knows
	Tolerates   Reason = "tolerates"     // the pod tolerates the taint that would send it elsewhere
	NoOtherNode Reason = "no-other-node" // no other node would do, as far as they were looked at
)

// Reasons returns every reason. The caller owns the slice.
func Reasons() []Reason {
	return []Reason{
		NotSynced, NoCandidate, UnknownNode, UnknownSize, NotMeasured, StaleSample, ElasticPool, Excepted, ExemptPod, ModeOff, NoImages,
		NoReplicas, InvalidImages, ManyImages,
	}
}

// SteeringReasons returns every reason that a Steering can have. The caller owns the slice.
func SteeringReasons() []Reason {
	return []Reason{
		NotSynced, UnknownNode, UnknownSize, NotMeasured, StaleSample, ExemptPod, ModeOff, NoImages, Excepted, UnknownPod, Tolerates, NoOtherNode,
	}
}
