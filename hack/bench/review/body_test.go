// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package review

import (
	"encoding/json"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
)

var images = []string{"registry.example.com/a:v1", "registry.example.com/b:v1", "registry.example.com/c:v1"}

func read(t *testing.T, body []byte) (*admissionv1.AdmissionRequest, *corev1.Pod) {
	t.Helper()
	var r admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(r.Request.Object.Raw, pod); err != nil {
		t.Fatal(err)
	}
	return r.Request, pod
}

func TestBodiesAreReviewsOfPodsOfOneSize(t *testing.T) {
	bodies, err := New(images)
	if err != nil {
		t.Fatal(err)
	}
	owners := map[string]bool{}
	for n := range uint64(8) {
		body := bodies.Append(nil, n)
		if len(body) < TargetBytes-100 || len(body) > TargetBytes+100 {
			t.Errorf("body %d has %d bytes, want about %d", n, len(body), TargetBytes)
		}
		request, pod := read(t, body)
		if request.Operation != admissionv1.Create || request.Kind.Kind != "Pod" || request.Namespace != pod.Namespace {
			t.Errorf("body %d: %s of %s in %s", n, request.Operation, request.Kind.Kind, request.Namespace)
		}
		for _, c := range pod.Spec.Containers {
			if !slices.Contains(images, c.Image) {
				t.Errorf("body %d has the image %q", n, c.Image)
			}
		}
		owners[pod.OwnerReferences[0].Kind] = true
	}
	if len(owners) < 3 {
		t.Errorf("all pods are made by %v", owners)
	}
}

func TestUIDsAreFresh(t *testing.T) {
	bodies, err := New(images)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]uint64{}
	for _, n := range []uint64{0, 1, 4, 15, 16, 4095, 1 << 40} {
		request, pod := read(t, bodies.Append([]byte(nil), n))
		if string(request.UID) != UID(n) {
			t.Errorf("body %d has the UID %s, want %s", n, request.UID, UID(n))
		}
		for _, uid := range []string{string(request.UID), string(pod.UID)} {
			if other, twice := seen[uid]; twice {
				t.Errorf("bodies %d and %d have the same UID %s", other, n, uid)
			}
			seen[uid] = n
		}
	}
}

func TestAppendLeavesWhatIsThere(t *testing.T) {
	bodies, err := New(images)
	if err != nil {
		t.Fatal(err)
	}
	got := bodies.Append([]byte("before"), 3)
	if string(got[:6]) != "before" || string(got[6:]) != string(bodies.Append(nil, 3)) {
		t.Error("what was in the buffer is lost, or the body is another one")
	}
}

func TestWithoutImagesThereAreNoBodies(t *testing.T) {
	if _, err := New(nil); err == nil {
		t.Error("bodies of nothing")
	}
}
