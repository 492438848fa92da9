// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/placement"
)

// Request is what a decision needs to know about a pod.
type Request struct {
	UID             types.UID
	Namespace, Name string
	// NamespaceMode is the value of the namespace's headroom.dev/mode label, empty for none.
	NamespaceMode string
	PriorityClass string
	// Labels are the pod's, by which exceptions find it.
	Labels  map[string]string
	Images  []imageref.Image
	Invalid []imageref.Invalid
	// Placement is which nodes the pod can land on; nil stands for all.
	Placement *placement.Constraints
	// Workload is what makes pods from the template that is judged; nil for a pod that is judged itself. A request with one
	// is made by RequestOfTemplate.
	Workload *Workload
	// NotOn are names of nodes that are no candidates, whatever the placement says, where it is asked what would be if a running
	// pod came again elsewhere. Otherwise it is nil.
	NotOn map[string]bool
}

// RequestOf reads a request from a pod as the API server admits it. A nil pod is one without images.
func RequestOf(pod *corev1.Pod) Request {
	if pod == nil {
		return Request{}
	}
	images, invalid := imageref.OfPod(&pod.Spec)
	return Request{
		UID: pod.UID, Namespace: pod.Namespace, Name: pod.Name,
		PriorityClass: pod.Spec.PriorityClassName, Labels: pod.Labels,
		Images: images, Invalid: invalid,
		Placement: placement.Of(&pod.Spec),
	}
}

// wanted returns the images that the pod may pull, each once, in the order of first use.
func (r *Request) wanted() []imageref.Image {
	if len(r.Images) <= maxImages {
		return r.appendWanted(make([]imageref.Image, 0, len(r.Images)))
	}
	wanted := make([]imageref.Image, 0, len(r.Images))
	seen := make(map[imageref.Ref]int, len(r.Images))
	for _, image := range r.Images {
		if image.Ref.IsZero() {
			continue
		}
		i, again := seen[image.Ref]
		if !again {
			seen[image.Ref] = len(wanted)
			wanted = append(wanted, image)
			continue
		}
		join(&wanted[i], &image)
	}
	return wanted
}

// appendWanted is wanted for few images, added to those that are there.
func (r *Request) appendWanted(wanted []imageref.Image) []imageref.Image {
	first := len(wanted)
next:
	for i := range r.Images {
		image := &r.Images[i]
		if image.Ref.IsZero() {
			continue
		}
		for k := first; k < len(wanted); k++ {
			if wanted[k].Ref == image.Ref {
				join(&wanted[k], image)
				continue next
			}
		}
		wanted = append(wanted, *image)
	}
	return wanted
}

// join takes what is asked of an image once more.
func join(wanted, again *imageref.Image) {
	if again.PullPolicy == corev1.PullAlways || wanted.PullPolicy == corev1.PullNever {
		wanted.PullPolicy = again.PullPolicy
	}
}

// nodeName is spec.nodeName: the one node that counts, whatever the other constraints say. Empty for the scheduler's choice.
func (r *Request) nodeName() string {
	if r.Placement == nil {
		return ""
	}
	return r.Placement.NodeName()
}
