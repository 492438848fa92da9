// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/hack/lab"
)

// shape is a kind of image, or a way of using images, and so a row of
// docs/accuracy.md.
type shape struct {
	title string
	// discards has the pod run on the node that drops compressed layers once they
	// are unpacked.
	discards bool
	// images are pushed before the pod is created; a name that was pushed before
	// moves its tag.
	images []lab.Image
	// init, main and volumes are names of images, without a host: pushed here or
	// for a shape above, which has the image on the node already.
	init, main, volumes []string
	// listed is the name of an image that the node has to list before: what the
	// shape shares with those above is known then.
	listed string
	// always has the kubelet ask the registry although it knows the name.
	always bool
}

// tinyFiles is the row where rounding to blocks is nearly all there is.
const tinyFiles = "10,000 files of 30 bytes"

// shapes come in an order that matters: what one of them has left on the node the
// next ones find there.
func shapes() []shape {
	base := []lab.Layer{{Bytes: 40 * mib, Content: lab.Text, Seed: 700}, {Bytes: 20 * mib, Content: lab.Random, Seed: 701}}
	otherBase := []lab.Layer{{Bytes: 40 * mib, Content: lab.Text, Seed: 710}, {Bytes: 20 * mib, Content: lab.Random, Seed: 711}}
	small, large := lab.Layer{Bytes: 8 * mib, Content: lab.Source, Seed: 720}, lab.Layer{Bytes: 30 * mib, Content: lab.Random, Seed: 721}
	return []shape{
		alone("random bytes", "random", layer(60, lab.Random)),
		alone("zeros", "zeros", layer(100, lab.Zeros)),
		alone("text, like code", "text", layer(80, lab.Text)),
		alone("a tree of source files", "source", layer(40, lab.Source)),
		alone(tinyFiles, "tiny", lab.Layer{Bytes: 300_000, Content: lab.Tiny}),
		alone("60 layers of one file", "layers", layers(60, lab.Layer{Bytes: 500_000, Content: lab.Text, Seed: 100})...),
		alone("zstd layers", "zstd", compressed(lab.Zstd, layer(60, lab.Text), layer(20, lab.Random))...),
		alone("zstd layers that don't say their size", "zstd-stream", compressed(lab.ZstdStream, layer(62, lab.Text), layer(22, lab.Random))...),
		alone("eStargz layers", "estargz", compressed(lab.EStargz, layer(30, lab.Source), layer(25, lab.Random))...),
		withImage(shape{title: "an index for several platforms", main: []string{"accuracy/index:v1"}}, lab.Image{
			Name: "accuracy/index:v1", Layers: []lab.Layer{layer(50, lab.Random), layer(30, lab.Text)},
			Platforms: []string{"linux/s390x", "linux/" + runtime.GOARCH, "linux/riscv64"},
		}),
		alone("an application on its base", "base-small", append(base[:2:2], small)...),
		alone("the other order: the second application first", "other-large", append(otherBase[:2:2], large)...),
		afterListing("accuracy/other-large:v1", alone("a second application on that base", "base-large", append(base[:2:2], large)...)),
		alone("the other order: the first application second", "other-small", append(otherBase[:2:2], small)...),
		alone("the same layers in another order", "reversed", base[1], base[0]),
		{title: "an image that is there already", main: []string{"accuracy/random:v1"}},
		withImage(shape{title: "the same image under another tag", main: []string{"accuracy/random:also"}},
			lab.Image{Name: "accuracy/random:also", Layers: []lab.Layer{layer(60, lab.Random)}}),
		alone("files that are there already, compressed another way", "recompressed", compressed(lab.Zstd, layer(80, lab.Text))...),
		withImage(shape{title: "a moved tag, pulled because of Always", main: []string{"accuracy/random:v1"}, always: true},
			lab.Image{Name: "accuracy/random:v1", Layers: []lab.Layer{layer(45, lab.Random)}}),
		{title: "a tag that did not move, asked for because of Always", main: []string{"accuracy/random:v1"}, always: true},
		withImage(shape{title: "an image volume", main: []string{"accuracy/random:v1"}, volumes: []string{"accuracy/volume:v1"}},
			lab.Image{Name: "accuracy/volume:v1", Layers: []lab.Layer{layer(35, lab.Random), layer(12, lab.Source)}, WithoutProgram: true}),
		withImage(withImage(shape{title: "two images in one pod", main: []string{"accuracy/two-a:v1", "accuracy/two-b:v1"}},
			lab.Image{Name: "accuracy/two-a:v1", Layers: []lab.Layer{layer(32, lab.Random)}}),
			lab.Image{Name: "accuracy/two-b:v1", Layers: []lab.Layer{layer(50, lab.Zeros)}}),
		withImage(withImage(shape{title: "an init container that shares layers with the main one", init: []string{"accuracy/init:v1"}, main: []string{"accuracy/main:v1"}},
			lab.Image{Name: "accuracy/init:v1", Layers: []lab.Layer{layer(33, lab.Text), layer(9, lab.Random)}}),
			lab.Image{Name: "accuracy/main:v1", Layers: []lab.Layer{layer(33, lab.Text), layer(34, lab.Random)}}),
		discarding(alone("random bytes, compressed layers discarded", "discarded-random", layer(60, lab.Random))),
		discarding(alone("text, compressed layers discarded", "discarded-text", layer(80, lab.Text))),
	}
}

// layer has a seed that no other layer of these tests has, unless it is equal.
func layer(mebibytes int64, content lab.Content) lab.Layer {
	return lab.Layer{Bytes: mebibytes * mib, Content: content, Seed: 9000 + uint64(mebibytes)}
}

// layers are count layers like the first one.
func layers(count uint64, first lab.Layer) []lab.Layer {
	all := make([]lab.Layer, 0, count)
	for i := range count {
		next := first
		next.Seed += i
		all = append(all, next)
	}
	return all
}

func compressed(c lab.Compression, all ...lab.Layer) []lab.Layer {
	for i := range all {
		all[i].Compression = c
	}
	return all
}

// alone is a pod with one image, which is pushed for it.
func alone(title, repository string, layers ...lab.Layer) shape {
	name := fmt.Sprintf("accuracy/%s:v1", repository)
	return shape{title: title, main: []string{name}, images: []lab.Image{{Name: name, Layers: layers}}}
}

func withImage(s shape, image lab.Image) shape {
	s.images = append(s.images, image)
	return s
}

// afterListing has the shape wait until the node lists an image.
func afterListing(image string, s shape) shape {
	s.listed = image
	return s
}

func discarding(s shape) shape {
	s.discards = true
	return s
}

// all are the names of the shape's images.
func (s shape) all() []string { return slices.Concat(s.init, s.main, s.volumes) }

// stillness is how long the disk has to be unchanged after the pull: containerd collects
// what it discards a moment later.
func (s shape) stillness() time.Duration {
	if s.discards {
		return 3 * stillness
	}
	return stillness
}

// pod is the pod that a shape is about.
//
// A gated one is never scheduled.
func (s shape) pod(t *testing.T, namespace, name, node string, gated bool) string {
	t.Helper()
	policy := corev1.PullIfNotPresent
	if s.always {
		policy = corev1.PullAlways
	}
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(0)),
			NodeSelector:                  map[string]string{corev1.LabelHostname: node},
		},
	}
	if gated {
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "headroom.dev/test"}}
	}
	for i, image := range s.init {
		// A sidecar: the program of these images never ends by itself.
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{
			Name: fmt.Sprintf("init%d", i), Image: lab.RegistryHost + "/" + image, ImagePullPolicy: policy,
			RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
		})
	}
	for i, image := range s.main {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: fmt.Sprintf("main%d", i), Image: lab.RegistryHost + "/" + image, ImagePullPolicy: policy,
		})
	}
	for i, image := range s.volumes {
		volume := fmt.Sprintf("volume%d", i)
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			Image: &corev1.ImageVolumeSource{Reference: lab.RegistryHost + "/" + image, PullPolicy: policy},
		}})
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{
			Name: volume, MountPath: "/" + volume,
		})
	}
	body, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
