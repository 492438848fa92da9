// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledgertest

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

type nodeRow struct {
	w                   *World
	row                 ledger.Node
	lines               *ledger.Lines
	capacity, available int64
}

// NodeOption changes a node before it is written.
type NodeOption func(*nodeRow)

// Disk gives the node a sample of its image file system, taken now.
func Disk(capacity, available int64) NodeOption {
	return func(n *nodeRow) { n.capacity, n.available = capacity, available }
}

// Lists adds images to the node's list, each "name=bytes" in the runtime's unit;
// an image with several names is "name|name=bytes".
func Lists(images ...string) NodeOption {
	return func(n *nodeRow) {
		n.w.t.Helper()
		for _, image := range images {
			n.row.Images = append(n.row.Images, n.w.listed(image))
		}
	}
}

// ListsNothing makes the list nil: the kubelet could not tell.
func ListsNothing() NodeOption { return func(n *nodeRow) { n.row.Images = nil } }

// Lines gives the node's kubelet these settings.
func Lines(lines ledger.Lines) NodeOption { return func(n *nodeRow) { n.lines = &lines } }

// ListCap gives the node's kubelet the default lines and this cap on its list.
func ListCap(images int) NodeOption {
	lines := ledger.DefaultLines()
	lines.MaxImagesListed, lines.Assumed = images, false
	return Lines(lines)
}

// NodeUID gives the node another UID than its name.
func NodeUID(uid types.UID) NodeOption { return func(n *nodeRow) { n.row.UID = uid } }

// Label adds labels, each "key=value".
func Label(labels ...string) NodeOption {
	return func(n *nodeRow) {
		for _, label := range labels {
			key, value, _ := strings.Cut(label, "=")
			n.row.Labels[key] = value
		}
	}
}

// Taint adds a NoSchedule taint.
func Taint(key string) NodeOption {
	return func(n *nodeRow) {
		n.row.Taints = append(n.row.Taints, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
	}
}

// Runtime sets the node's runtime family.
func Runtime(rt imagesize.Runtime) NodeOption { return func(n *nodeRow) { n.row.Runtime = rt } }

// Architecture sets the node's processor architecture.
func Architecture(a string) NodeOption { return func(n *nodeRow) { n.row.Architecture = a } }

// EphemeralStorage sets the node's status.capacity[ephemeral-storage].
func EphemeralStorage(bytes int64) NodeOption {
	return func(n *nodeRow) { n.row.EphemeralStorageBytes = bytes }
}

// NotReady makes the node NotReady.
func NotReady() NodeOption { return func(n *nodeRow) { n.row.Ready = false } }

// Cordoned makes the node unschedulable.
func Cordoned() NodeOption { return func(n *nodeRow) { n.row.Unschedulable = true } }

type podRow struct {
	w    *World
	row  ledger.Pod
	spec corev1.PodSpec
	// ahead of the world's clock it was created.
	ahead time.Duration
}

// PodOption changes a pod before it is written.
type PodOption func(*podRow)

// On binds the pod.
func On(node string) PodOption { return func(p *podRow) { p.row.NodeName = node } }

// Nominated is the scheduler's plan for the pod.
func Nominated(node string) PodOption { return func(p *podRow) { p.row.NominatedNodeName = node } }

// Created says how long after the world's time the pod was created; it is now otherwise.
func Created(ahead time.Duration) PodOption { return func(p *podRow) { p.ahead = ahead } }

// Asks makes the pod's containers request thousandths of a core.
func Asks(milliCPU int64) PodOption {
	return func(p *podRow) {
		p.spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: *resource.NewMilliQuantity(milliCPU, resource.DecimalSI),
		}}}}
	}
}

// In puts the pod into another namespace than "team".
func In(namespace string) PodOption { return func(p *podRow) { p.row.Namespace = namespace } }

// PodUID gives the pod another UID than its name.
func PodUID(uid types.UID) PodOption { return func(p *podRow) { p.row.UID = uid } }

// Selects adds to the pod's node selector, each "key=value".
func Selects(labels ...string) PodOption {
	return func(p *podRow) {
		p.spec.NodeSelector = make(map[string]string)
		for _, label := range labels {
			key, value, _ := strings.Cut(label, "=")
			p.spec.NodeSelector[key] = value
		}
	}
}

// Requests sets what the scheduler sets aside for the pod.
func Requests(r placement.Resources) PodOption { return func(p *podRow) { p.row.Requests = r } }

// Wants adds images that the pod needs and its node has not pulled for it.
func Wants(images ...string) PodOption {
	return addImages(images, ledger.PodImage{PullPolicy: corev1.PullIfNotPresent})
}

// WantsMore says that the pod has more images than it is given here.
func WantsMore() PodOption { return func(p *podRow) { p.row.MoreImages = true } }

// NeverPulls adds images with the pull policy Never.
func NeverPulls(images ...string) PodOption {
	return addImages(images, ledger.PodImage{PullPolicy: corev1.PullNever})
}

// FailsToPull adds images that a container of the pod waits for in ErrImagePull.
func FailsToPull(images ...string) PodOption {
	return addImages(images, ledger.PodImage{PullPolicy: corev1.PullIfNotPresent, Failing: true})
}

// Runs adds images whose containers have started at that time, the node's clock.
func Runs(startedAt time.Time, images ...string) PodOption {
	return addImages(images, ledger.PodImage{PullPolicy: corev1.PullIfNotPresent, Pulled: true, StartedAt: startedAt})
}

func addImages(images []string, template ledger.PodImage) PodOption {
	return func(p *podRow) {
		p.w.t.Helper()
		for _, image := range images {
			template.Ref = p.w.Ref(image)
			p.row.Images = append(p.row.Images, template)
		}
	}
}

// Finished makes the pod Succeeded or Failed.
func Finished() PodOption { return func(p *podRow) { p.row.Finished = true } }

// Deleting gives the pod a deletion timestamp.
func Deleting() PodOption { return func(p *podRow) { p.row.Deleting = true } }

// Gated holds the pod by a scheduling gate.
func Gated() PodOption { return func(p *podRow) { p.row.Gated = true } }

// Unschedulable says that the scheduler found no node.
func Unschedulable() PodOption { return func(p *podRow) { p.row.Unschedulable = true } }
