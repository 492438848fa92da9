// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, s := range []string{
		"", "nginx", "nginx:1.29", "localhost:5000/a/b:c", "[fd00::1]:5000/a", "ghcr.io/a/b:c@" + digest, digest, hex, "sha256:abc", "a/*", "*",
		"docker-pullable://nginx@" + digest, "<none>@<none>", "index.docker.io/x", "docker.io/docker.io/a", "UPPER.example.com/a", "A\n",
	} {
		f.Add(s)
	}
}

func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, s string) {
		asIs(t, s)
		r, err := Parse(s)
		if err != nil {
			if !r.IsZero() || len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("%q gives %q and the error %q", s, r, err)
			}
			return
		}
		again, err := Parse(r.String())
		if err != nil || again != r {
			t.Errorf("%q is %s, and that is %s (%v)", s, r, again, err)
		}
		familiar, err := Parse(r.Familiar())
		if err != nil || familiar != r {
			t.Errorf("%q is %s, familiar %s, and that is %s (%v)", s, r, r.Familiar(), familiar, err)
		}
		if (r.Tag() == "") == (r.Digest() == "") {
			t.Errorf("%s has tag %q and digest %q", r, r.Tag(), r.Digest())
		}
		joined := r.Repository() + ":" + r.Tag()
		if r.Digest() != "" {
			joined = r.Repository() + "@" + r.Digest()
		}
		if joined != r.String() || !strings.HasPrefix(r.String(), r.Host()+"/") {
			t.Errorf("%s falls into %q, %q, %q, %q", r, r.Host(), r.Repository(), r.Tag(), r.Digest())
		}
	})
}

func FuzzParsePattern(f *testing.F) {
	seeds(f)
	r, err := Parse("registry.example.com/models/a/b:c")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePattern(s)
		if err != nil {
			return
		}
		p.Matches(r)
		again, err := ParsePattern(p.String())
		if err != nil || again != p {
			t.Errorf("%q is %s, and that is %s (%v)", s, p, again, err)
		}
		if named, err := Parse(s); err == nil && !p.Matches(named) {
			t.Errorf("%q does not match %s", s, named)
		}
	})
}

func FuzzOfPod(f *testing.F) {
	f.Add("nginx", "nginx:latest", "", "UPPER", "Always", "")
	f.Add("a@"+digest, "a:latest@"+digest, "b", "", "Never", "IfNotPresent")
	f.Fuzz(func(t *testing.T, a, b, c, d, policy, other string) {
		spec := &corev1.PodSpec{
			Volumes:             []corev1.Volume{{VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: a, PullPolicy: corev1.PullPolicy(policy)}}}},
			InitContainers:      []corev1.Container{{Image: b, ImagePullPolicy: corev1.PullPolicy(other)}},
			Containers:          []corev1.Container{{Image: c, ImagePullPolicy: corev1.PullPolicy(policy)}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Image: d}}},
		}
		images, invalid := OfPod(spec)
		want, wrong := map[Ref]bool{}, 0
		for _, name := range []string{a, b, c, d} {
			if ref, err := Parse(name); err == nil {
				want[ref] = true
			} else if name != "" {
				wrong++
			}
		}
		seen := map[Ref]bool{}
		for _, image := range images {
			if seen[image.Ref] || !want[image.Ref] || strictness(image.PullPolicy) == 0 {
				t.Errorf("%+v", image)
			}
			seen[image.Ref] = true
		}
		if len(seen) != len(want) || len(invalid) != wrong {
			t.Errorf("%d images and %d that are none, want %d and %d", len(seen), len(invalid), len(want), wrong)
		}
		for _, ref := range OfStatusNames([]string{a, b, c, d}) {
			if ref.IsZero() {
				t.Error("a zero Ref")
			}
		}
		if ref, ok := ParseImageID(a); ok && ref.Digest() == "" {
			t.Errorf("%q has no digest", ref)
		}
	})
}
