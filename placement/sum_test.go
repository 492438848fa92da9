// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	podresource "k8s.io/component-helpers/resource"
)

// TestSumOfContainers: it is what the scheduler's library comes to, or nothing.
func TestSumOfContainers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	names := []corev1.ResourceName{"cpu", "memory", "pods", "ephemeral-storage", "hugepages-2Mi", "example.com/gpu"}
	quantities := []string{"0", "1", "100m", "0.1m", "1500m", "128Mi", "1.5Gi", "1e3", "-1", "9223372036854775807", "9223372036854775806999", "1e-9", "1n"}
	list := func() corev1.ResourceList {
		var l corev1.ResourceList
		for range random.IntN(4) {
			if l == nil {
				l = corev1.ResourceList{}
			}
			l[names[random.IntN(len(names))]] = resource.MustParse(quantities[random.IntN(len(quantities))])
		}
		return l
	}
	simple := 0
	for range 20_000 {
		spec := &corev1.PodSpec{Overhead: list()}
		for range random.IntN(4) {
			spec.Containers = append(spec.Containers, corev1.Container{Resources: corev1.ResourceRequirements{Requests: list(), Limits: list()}})
		}
		if random.IntN(8) == 0 {
			spec.InitContainers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: list()}}}
		}
		if random.IntN(8) == 0 {
			spec.Resources = &corev1.ResourceRequirements{Requests: list()}
		}
		got, is := sumOfContainers(spec)
		if !is {
			continue
		}
		simple++
		want := ResourcesOf(podresource.PodRequests(&corev1.Pod{Spec: *spec}, podresource.PodResourcesOptions{}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("requests (-library +sum):\n%s\n%+v", diff, spec)
		}
	}
	if simple < 10_000 {
		t.Errorf("only %d pods were simple", simple)
	}
}
