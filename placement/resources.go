// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"maps"
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	podresource "k8s.io/component-helpers/resource"
)

// Resources are what a pod requests or a node has left. Units: thousandths of
// a core, bytes, and the resource's own unit for all others.
type Resources struct {
	MilliCPU    int64
	MemoryBytes int64
	Pods        int64
	// Extended holds every other resource: devices, huge pages (bytes),
	// ephemeral-storage (bytes). Nil when there is none.
	Extended map[corev1.ResourceName]int64
}

// RequestsOf returns what the scheduler sets aside for a pod: containers, init
// containers and sidecars, pod-level requests and overhead, and one pod.
func RequestsOf(spec *corev1.PodSpec) Resources {
	if spec == nil {
		return Resources{Pods: 1}
	}
	r, simple := sumOfContainers(spec)
	if !simple {
		r = ResourcesOf(podresource.PodRequests(&corev1.Pod{Spec: *spec}, podresource.PodResourcesOptions{}))
	}
	r.Pods = 1
	return r
}

// sumOfContainers is what [podresource.PodRequests] comes to for pods without init containers and without requests of the pod as a
// whole: nearly all. That one makes four maps and copies the spec.
func sumOfContainers(spec *corev1.PodSpec) (r Resources, simple bool) {
	if len(spec.InitContainers) > 0 || spec.Resources != nil {
		return Resources{}, false
	}
	var sums requestSums
	for i := range spec.Containers {
		sums.add(spec.Containers[i].Resources.Requests)
	}
	sums.add(spec.Overhead)
	for name, sum := range sums.others {
		r.set(name, sum)
	}
	r.MilliCPU, r.MemoryBytes = milliValueOf(sums.cpu), ValueOf(sums.memory)
	return r, true
}

// requestSums are exact: fractions are rounded up once, not for each container.
type requestSums struct {
	cpu, memory resource.Quantity
	others      corev1.ResourceList
}

func (s *requestSums) add(list corev1.ResourceList) {
	for name, quantity := range list {
		switch name {
		case corev1.ResourceCPU:
			s.cpu.Add(quantity)
		case corev1.ResourceMemory:
			s.memory.Add(quantity)
		default:
			if s.others == nil {
				s.others = make(corev1.ResourceList)
			}
			sum := s.others[name]
			sum.Add(quantity)
			s.others[name] = sum
		}
	}
}

// ResourcesOf converts a resource list, such as a node's status.allocatable.
// Fractions are rounded up, as the scheduler does.
func ResourcesOf(list corev1.ResourceList) Resources {
	var r Resources
	for name, quantity := range list {
		r.set(name, quantity)
	}
	return r
}

func (r *Resources) set(name corev1.ResourceName, quantity resource.Quantity) {
	switch name {
	case corev1.ResourceCPU:
		r.MilliCPU = milliValueOf(quantity)
	case corev1.ResourceMemory:
		r.MemoryBytes = ValueOf(quantity)
	case corev1.ResourcePods:
		r.Pods = ValueOf(quantity)
	default:
		if r.Extended == nil {
			r.Extended = make(map[corev1.ResourceName]int64)
		}
		r.Extended[name] = ValueOf(quantity)
	}
}

// Cover reports whether r is enough for what is requested. What is not requested
// may be missing, or overdrawn.
func (r Resources) Cover(requested Resources) bool {
	if short(r.MilliCPU, requested.MilliCPU) || short(r.MemoryBytes, requested.MemoryBytes) || short(r.Pods, requested.Pods) {
		return false
	}
	for name, n := range requested.Extended {
		if short(r.Extended[name], n) {
			return false
		}
	}
	return true
}

func short(have, want int64) bool { return want > 0 && have < want }

// Holds returns how many times r covers what is requested.
func (r Resources) Holds(requested Resources) int64 {
	times := int64(math.MaxInt64)
	take := func(have, want int64) {
		if want > 0 {
			times = min(times, max(have, 0)/want)
		}
	}
	take(r.MilliCPU, requested.MilliCPU)
	take(r.MemoryBytes, requested.MemoryBytes)
	take(r.Pods, requested.Pods)
	for name, n := range requested.Extended {
		take(r.Extended[name], n)
	}
	return times
}

// Plus returns r + o; what would overflow saturates.
func (r Resources) Plus(o Resources) Resources { return r.combine(o, saturatingAdd) }

// Minus returns r - o, which may be negative; what would overflow saturates.
func (r Resources) Minus(o Resources) Resources { return r.combine(o, saturatingSub) }

// combine shares r's map with the result where o has no such resource.
func (r Resources) combine(o Resources, f func(a, b int64) int64) Resources {
	result := Resources{
		MilliCPU:    f(r.MilliCPU, o.MilliCPU),
		MemoryBytes: f(r.MemoryBytes, o.MemoryBytes),
		Pods:        f(r.Pods, o.Pods),
		Extended:    r.Extended,
	}
	if len(o.Extended) == 0 {
		return result
	}
	result.Extended = maps.Clone(r.Extended)
	if result.Extended == nil {
		result.Extended = make(map[corev1.ResourceName]int64, len(o.Extended))
	}
	for name, n := range o.Extended {
		result.Extended[name] = f(result.Extended[name], n)
	}
	return result
}

func saturatingAdd(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	default:
		return a + b
	}
}

func saturatingSub(a, b int64) int64 {
	if b == math.MinInt64 {
		return saturatingAdd(saturatingAdd(a, math.MaxInt64), 1)
	}
	return saturatingAdd(a, -b)
}

// Equal reports whether both are the same amounts.
func (r Resources) Equal(o Resources) bool {
	return r.MilliCPU == o.MilliCPU && r.MemoryBytes == o.MemoryBytes && r.Pods == o.Pods && maps.Equal(r.Extended, o.Extended)
}
