// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/placement"
)

// Node is what a Node object tells. A whole row is written at a time.
type Node struct {
	placement.Node

	UID     types.UID
	BootID  string
	Runtime imagesize.Runtime
	// EphemeralStorageBytes is status.capacity[ephemeral-storage]: the disk of
	// the kubelet's root, which need not be the one that holds images.
	EphemeralStorageBytes int64
	// Images is node.status.images. Nil says nothing: the kubelet sends nil
	// when it could not list. A node without images has an empty, non-nil list.
	Images []ListedImage
}

// ListedImage is one entry of node.status.images.
type ListedImage struct {
	// Refs are its names in canonical form, digests and tags.
	Refs []imageref.Ref
	// NameCount is how many names the entry had, counting those that did not
	// parse. The kubelet cuts at 5, digests first: at 5 a tag may be hidden.
	NameCount int
	// ReportedBytes is in the unit of the node's runtime.
	ReportedBytes int64
}

// Measurement is one sample of a node's image file system, from its kubelet.
type Measurement struct {
	// NodeUID is the node it was taken for: a sample of an earlier node of the
	// same name is ignored. Empty means whichever node has the name.
	NodeUID types.UID

	CapacityBytes, AvailableBytes int64
	// SampledAt is the node's clock when AvailableBytes was read (node.fs.time).
	SampledAt time.Time
	// AgeAtReceipt is how old the sample was when we got it, both ends by the
	// node's clock. ReceivedAt is our clock. Age now = AgeAtReceipt + (now - ReceivedAt).
	AgeAtReceipt time.Duration
	ReceivedAt   time.Time
	// SharedWithNodeFS says that images and the kubelet's root are on one file
	// system, so that nodefs thresholds live on it too.
	SharedWithNodeFS bool
	// Inodes and InodesFree are 0 where the kubelet does not tell.
	Inodes, InodesFree int64
}

// Pod is what a Pod object tells, bound to a node or not.
type Pod struct {
	UID             types.UID
	Namespace, Name string
	// NodeName is empty while the pod is not bound.
	NodeName string
	// NominatedNodeName is the scheduler's plan for a preempting pod.
	NominatedNodeName string
	// Finished pods (Succeeded, Failed) hold no image against the eviction
	// manager, but do against the periodic GC.
	Finished bool
	Deleting bool
	// Gated: scheduling gates hold it. Unschedulable: the scheduler said so.
	Gated, Unschedulable bool
	Images               []PodImage
	// MoreImages says that the pod has more than these.
	MoreImages bool
	// CreatedUnixSeconds is the API server's clock, in whole seconds.
	CreatedUnixSeconds int64
	// Placement, PriorityClass and Labels are of pods that are not bound.
	Placement     *placement.Constraints
	PriorityClass string
	Labels        map[string]string
	Requests      placement.Resources
	// Template is the writer's: a pointer to what it knows besides of all pods made as
	// this one, or nil. It is kept and given back, compared with ==, and not written.
	Template any `json:"-"`
}

// PodImage is one distinct image of a pod and how far the node is with it.
type PodImage struct {
	Ref        imageref.Ref
	PullPolicy corev1.PullPolicy
	// ImageID is the reference that some container's status names once the
	// image is on the node (repo@digest); zero before that.
	ImageID imageref.Ref
	// Pulled says that a container using it has an imageID or has started.
	Pulled bool
	// StartedAt is the earliest start that is known of a container that uses it,
	// node's clock; zero before. The image was on the disk by then, and a container
	// that crashes and starts again brings no new bytes.
	StartedAt time.Time
	// Failing says that a container waits in ErrImagePull, ImagePullBackOff or
	// another image error.
	Failing bool
}
