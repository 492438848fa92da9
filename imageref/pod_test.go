// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

type wanted struct {
	Ref    string
	Policy corev1.PullPolicy
}

func TestOfPod(t *testing.T) {
	container := func(image string, policy corev1.PullPolicy) corev1.Container {
		return corev1.Container{Image: image, ImagePullPolicy: policy}
	}
	const latest = "docker.io/library/nginx:latest"
	tests := map[string]struct {
		spec        *corev1.PodSpec
		want        []wanted
		wantInvalid map[string]string
	}{
		"no spec": {},
		"every place that names an image, in order": {
			spec: &corev1.PodSpec{
				Volumes: []corev1.Volume{
					{Name: "empty"},
					{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "r.example.com/model:1", PullPolicy: corev1.PullNever}}},
				},
				InitContainers: []corev1.Container{
					container("init:1", corev1.PullIfNotPresent),
					{Image: "sidecar:1", ImagePullPolicy: corev1.PullAlways, RestartPolicy: new(corev1.ContainerRestartPolicyAlways)},
				},
				Containers:          []corev1.Container{container("main:1", corev1.PullIfNotPresent)},
				EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Image: "debug:1"}}},
			},
			want: []wanted{
				{"r.example.com/model:1", corev1.PullNever},
				{"docker.io/library/init:1", corev1.PullIfNotPresent},
				{"docker.io/library/sidecar:1", corev1.PullAlways},
				{"docker.io/library/main:1", corev1.PullIfNotPresent},
				{"docker.io/library/debug:1", corev1.PullIfNotPresent},
			},
		},
		"spellings of one image are one, and the strictest policy counts": {
			spec: &corev1.PodSpec{Containers: []corev1.Container{
				container("nginx", corev1.PullNever), container("docker.io/nginx:latest", corev1.PullAlways), container("library/nginx", corev1.PullIfNotPresent),
			}},
			want: []wanted{{latest, corev1.PullAlways}},
		},
		"no policy and no tag": {
			spec: &corev1.PodSpec{Containers: []corev1.Container{container("nginx", "")}},
			want: []wanted{{latest, corev1.PullAlways}},
		},
		"no policy and a tag": {
			spec: &corev1.PodSpec{Containers: []corev1.Container{container("nginx:1", "")}},
			want: []wanted{{"docker.io/library/nginx:1", corev1.PullIfNotPresent}},
		},
		"no policy and a digest": {
			spec: &corev1.PodSpec{Containers: []corev1.Container{container("nginx@"+digest, "")}},
			want: []wanted{{"docker.io/library/nginx@" + digest, corev1.PullIfNotPresent}},
		},
		"no policy, latest and a digest": {
			spec: &corev1.PodSpec{Containers: []corev1.Container{container("nginx:latest@"+digest, "")}},
			want: []wanted{{"docker.io/library/nginx@" + digest, corev1.PullAlways}},
		},
		"a policy that does not exist is none": {
			spec: &corev1.PodSpec{Containers: []corev1.Container{container("nginx:1", "Sometimes")}},
			want: []wanted{{"docker.io/library/nginx:1", corev1.PullIfNotPresent}},
		},
		"empty names are skipped, wrong ones told": {
			spec: &corev1.PodSpec{
				Volumes:    []corev1.Volume{{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}}},
				Containers: []corev1.Container{container("", ""), container("UPPER", ""), container("nginx", "")},
			},
			want:        []wanted{{latest, corev1.PullAlways}},
			wantInvalid: map[string]string{"spec.containers[1].image": "UPPER"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			images, invalid := OfPod(tt.spec)
			var got []wanted
			for _, i := range images {
				got = append(got, wanted{i.Ref.String(), i.PullPolicy})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
			var gotInvalid map[string]string
			for _, i := range invalid {
				if gotInvalid == nil {
					gotInvalid = map[string]string{}
				}
				gotInvalid[i.Field] = i.Name
				if i.Err == nil {
					t.Errorf("%s has no error", i.Field)
				}
			}
			if diff := cmp.Diff(tt.wantInvalid, gotInvalid); diff != "" {
				t.Errorf("invalid (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfPodTellsFewInvalidNames(t *testing.T) {
	spec := &corev1.PodSpec{}
	for range 10 * maxInvalid {
		spec.Containers = append(spec.Containers, corev1.Container{Image: "UPPER"})
	}
	spec.Containers = append(spec.Containers, corev1.Container{Image: "app"})
	if images, invalid := OfPod(spec); len(images) != 1 || len(invalid) != maxInvalid {
		t.Errorf("%d images, %d names are invalid", len(images), len(invalid))
	}
}

func BenchmarkOfPod10Containers(b *testing.B) {
	spec := &corev1.PodSpec{Containers: make([]corev1.Container, 10)}
	for i := range spec.Containers {
		spec.Containers[i].Image = "registry.example.com/team/app:" + string(rune('a'+i))
	}
	for b.Loop() {
		OfPod(spec)
	}
}
