// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import "time"

// Kind says what happened.
type Kind string

// What can happen on a node. Message carries the kubelet's own words where the
// kubelet would write an Event.
const (
	ImagePulling        Kind = "Pulling"
	ImagePulled         Kind = "Pulled"
	ImagePresent        Kind = "Present"
	ImagePullFailed     Kind = "PullFailed"
	ImageBackOff        Kind = "BackOff"
	ImageDeleted        Kind = "ImageDeleted" // Bytes is what the disk got back
	ContainerStarted    Kind = "ContainerStarted"
	ContainerExited     Kind = "ContainerExited"
	ContainersDeleted   Kind = "ContainersDeleted" // dead containers of a finished pod
	PodFinished         Kind = "PodFinished"
	PodRejected         Kind = "PodRejected"
	PodEvicted          Kind = "PodEvicted"
	PressureOn          Kind = "PressureOn"
	PressureOff         Kind = "PressureOff"
	ThresholdMet        Kind = "EvictionThresholdMet"
	FreeDiskSpaceFailed Kind = "FreeDiskSpaceFailed"
	ImageGCFailed       Kind = "ImageGCFailed" // from the second failure in a row
)

// Event is one decision or happening, in the order of time.
type Event struct {
	At   time.Time
	Kind Kind
	// Pod is the pod's ID; empty for what concerns the node.
	Pod       string
	Container string
	Image     string
	Message   string
	Bytes     int64
}

func (n *Node) emit(e Event) {
	e.At = n.now
	n.events = append(n.events, e)
}

func (n *Node) take() []Event {
	events := n.events
	n.events = nil
	return events
}
