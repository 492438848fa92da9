// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

const (
	// catalogueSize is how many images there are in all.
	catalogueSize = 2000
	// commonImages of them are on every node: proxies, agents, the network's.
	commonImages = 5
)

// tag is every image's.
const tag = ":v1"

func imageName(i int) string { return fmt.Sprintf("registry.example.com/team-%02d/app-%04d", i%40, i) }

func digestOf(i int) string { return fmt.Sprintf("%s@sha256:%064x", imageName(i), i) }

// image is number i of the catalogue, as a kubelet lists it: by digest and by tag. Of the sizes on containerd, 50 to 650 MB,
// most are small.
func image(i int) corev1.ContainerImage {
	return corev1.ContainerImage{
		Names:     []string{digestOf(i), imageName(i) + tag},
		SizeBytes: int64(50e6) + int64(600e6)*int64(scatter(i, 100)*scatter(i, 100))/10_000,
	}
}

// listed are the images of node i: the common ones, and others that its neighbours mostly don't have.
func (s Spec) listed(i int) []corev1.ContainerImage {
	images := make([]corev1.ContainerImage, 0, s.ImagesPerNode)
	for k := range s.ImagesPerNode {
		images = append(images, image(s.imageOn(i, k)))
	}
	return images
}

// imageOn is the number of image k on node i.
func (s Spec) imageOn(i, k int) int {
	if k < commonImages {
		return k
	}
	const others = catalogueSize - commonImages
	return commonImages + (i*7+37*(k-commonImages))%others
}

// Wanted are the images that pods come with, for which load is made: common ones and ones that few nodes have.
func Wanted() []string {
	var names []string
	for _, i := range []int{0, 42, 311, 1, 977, 1204, 1513, 2} {
		names = append(names, imageName(i)+tag)
	}
	return names
}
