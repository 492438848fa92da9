// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"fmt"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
)

// Image is one image that a pod needs on its node.
type Image struct {
	Ref Ref
	// PullPolicy is the strictest that the pod asks for: Always beats IfNotPresent beats Never.
	PullPolicy corev1.PullPolicy
}

// maxInvalid bounds the names that are returned as invalid: a pod can hold a hundred thousand.
const maxInvalid = 64

// Invalid is a name in a pod spec that no runtime could parse: the kubelet will report InvalidImageName.
type Invalid struct {
	// Field is the path of the field that holds the name.
	Field string
	// Name is the text of that field as it was written, of any length.
	Name string
	// Err is one sentence that says what is wrong.
	Err error
}

// OfPod returns every distinct image that the kubelet pulls for spec, in the order of first use: image volumes (mounted
// or not), init containers and sidecars, containers, ephemeral containers. One Ref comes once. An empty pull policy gets
// the API server's default. Empty names, which workload templates may hold, are skipped; names that don't parse are
// returned as invalid, as long as there are few.
func OfPod(spec *corev1.PodSpec) (images []Image, invalid []Invalid) {
	if spec == nil {
		return nil, nil
	}
	var c collector
	for i, v := range spec.Volumes {
		if v.Image != nil {
			c.add("volumes", i, v.Image.Reference, v.Image.PullPolicy)
		}
	}
	for i := range spec.InitContainers {
		container := &spec.InitContainers[i]
		c.add("initContainers", i, container.Image, container.ImagePullPolicy)
	}
	for i := range spec.Containers {
		container := &spec.Containers[i]
		c.add("containers", i, container.Image, container.ImagePullPolicy)
	}
	for i := range spec.EphemeralContainers {
		container := &spec.EphemeralContainers[i]
		c.add("ephemeralContainers", i, container.Image, container.ImagePullPolicy)
	}
	return c.images, c.invalid
}

type collector struct {
	images  []Image
	invalid []Invalid
	// index holds the position in images of each Ref, once there are many.
	index map[Ref]int
}

// few images are looked through one by one: a map costs more.
const few = 8

// add takes in what element i of a list of the spec names.
func (c *collector) add(list string, i int, name string, policy corev1.PullPolicy) {
	if name == "" {
		return
	}
	ref, err := Parse(name)
	if err != nil {
		if len(c.invalid) < maxInvalid {
			field := "image"
			if list == "volumes" {
				field = "image.reference"
			}
			c.invalid = append(c.invalid, Invalid{Field: fmt.Sprintf("spec.%s[%d].%s", list, i, field), Name: name, Err: err})
		}
		return
	}
	policy = effective(policy, name, ref)
	if known := c.find(ref); known != nil {
		if strictness(policy) > strictness(known.PullPolicy) {
			known.PullPolicy = policy
		}
		return
	}
	c.images = append(c.images, Image{Ref: ref, PullPolicy: policy})
	if c.index != nil {
		c.index[ref] = len(c.images) - 1
	}
}

// find returns the image that has been added, nil for none.
func (c *collector) find(ref Ref) *Image {
	if len(c.images) <= few {
		for i := range c.images {
			if c.images[i].Ref == ref {
				return &c.images[i]
			}
		}
		return nil
	}
	if c.index == nil {
		c.index = make(map[Ref]int)
		for i := range c.images {
			c.index[c.images[i].Ref] = i
		}
	}
	if i, known := c.index[ref]; known {
		return &c.images[i]
	}
	return nil
}

// effective returns policy, or what the API server would have set where there is none that it knows
// (k8s.io/kubernetes/pkg/apis/core/v1 SetDefaults_Container: Always for the tag "latest", also one that is implied, also
// one beside a digest).
func effective(policy corev1.PullPolicy, name string, ref Ref) corev1.PullPolicy {
	switch {
	case strictness(policy) > 0:
		return policy
	case ref.Tag() == "latest":
		return corev1.PullAlways
	case ref.Digest() == "":
		return corev1.PullIfNotPresent
	}
	// The Ref has lost a tag beside its digest.
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return corev1.PullIfNotPresent
	}
	if tagged, ok := reference.TagNameOnly(named).(reference.Tagged); ok && tagged.Tag() == "latest" {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}

func strictness(policy corev1.PullPolicy) int {
	switch policy {
	case corev1.PullAlways:
		return 3
	case corev1.PullIfNotPresent:
		return 2
	case corev1.PullNever:
		return 1
	default:
		return 0
	}
}
