// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement_test

import (
	"math"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/placement"
)

func TestHowManyPodsOfATemplateShareANode(t *testing.T) {
	apart := func(term string) string {
		return "{affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [" + term + "]}}}"
	}
	const byHost, finding = "topologyKey: kubernetes.io/hostname", "labelSelector: {matchLabels: {app: web}}"
	for about, c := range map[string]struct {
		spec string
		want int
	}{
		"nothing is said":                             {spec: "{containers: [{name: c, ports: [{containerPort: 80}]}]}"},
		"a port of the node":                          {spec: "{containers: [{name: c, ports: [{containerPort: 80, hostPort: 80}]}]}", want: 1},
		"the node's network":                          {spec: "{hostNetwork: true, containers: [{name: c, ports: [{containerPort: 80}]}]}", want: 1},
		"the node's network, and no port":             {spec: "{hostNetwork: true, containers: [{name: c}]}"},
		"a port of the node for a sidecar":            {spec: "{initContainers: [{name: s, restartPolicy: Always, ports: [{hostPort: 80}]}]}", want: 1},
		"a port of the node until the pod begins":     {spec: "{initContainers: [{name: s, ports: [{hostPort: 80}]}]}"},
		"kept apart by host":                          {spec: apart("{" + byHost + ", " + finding + "}"), want: 1},
		"kept apart by host, in any namespace":        {spec: apart("{" + byHost + ", " + finding + ", namespaceSelector: {}}"), want: 1},
		"kept apart by host, in its own namespace":    {spec: apart("{" + byHost + ", " + finding + ", namespaces: [b, a]}"), want: 1},
		"kept apart from other namespaces":            {spec: apart("{" + byHost + ", " + finding + ", namespaces: [b]}")},
		"kept apart where nobody knows the namespace": {spec: apart("{" + byHost + ", " + finding + ", namespaceSelector: {matchLabels: {team: a}}}")},
		"kept apart from others":                      {spec: apart("{" + byHost + ", labelSelector: {matchLabels: {app: db}}}")},
		"kept apart by zone":                          {spec: apart("{topologyKey: topology.kubernetes.io/zone, " + finding + "}")},
		"kept apart by what does not parse":           {spec: apart("{" + byHost + ", labelSelector: {matchExpressions: [{key: app, operator: Like}]}}")},
		"kept apart from none":                        {spec: apart("{" + byHost + "}")},
		"better apart":                                {spec: "{affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {" + byHost + ", " + finding + "}}]}}}"},
		"spread by host":                              {spec: "{topologySpreadConstraints: [{maxSkew: 5, whenUnsatisfiable: DoNotSchedule, " + byHost + ", " + finding + "}, {maxSkew: 2, whenUnsatisfiable: DoNotSchedule, " + byHost + ", " + finding + "}]}", want: 2},
		"spread by host where that is possible":       {spec: "{topologySpreadConstraints: [{maxSkew: 1, whenUnsatisfiable: ScheduleAnyway, " + byHost + ", " + finding + "}]}"},
		"spread by zone":                              {spec: "{topologySpreadConstraints: [{maxSkew: 1, whenUnsatisfiable: DoNotSchedule, topologyKey: topology.kubernetes.io/zone, " + finding + "}]}"},
	} {
		pod := &corev1.Pod{}
		pod.Namespace, pod.Labels = "a", map[string]string{"app": "web"}
		if err := yaml.UnmarshalStrict([]byte(c.spec), &pod.Spec); err != nil {
			t.Fatalf("%s: %v", about, err)
		}
		if got := placement.PerNode(pod); got != c.want {
			t.Errorf("%s: %d, want %d", about, got, c.want)
		}
	}
	if got := placement.PerNode(nil); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}

func TestHowManyTimesResourcesAreEnough(t *testing.T) {
	gpus := func(n int64) map[corev1.ResourceName]int64 {
		return map[corev1.ResourceName]int64{"example.com/gpu": n}
	}
	node := placement.Resources{MilliCPU: 8000, MemoryBytes: 64, Pods: 110, Extended: gpus(4)}
	for about, c := range map[string]struct {
		requested placement.Resources
		want      int64
	}{
		"by pods":           {placement.Resources{Pods: 1}, 110},
		"by processors":     {placement.Resources{Pods: 1, MilliCPU: 1500}, 5},
		"by memory":         {placement.Resources{Pods: 1, MilliCPU: 1500, MemoryBytes: 30}, 2},
		"by devices":        {placement.Resources{Pods: 1, Extended: gpus(3)}, 1},
		"what it lacks":     {placement.Resources{Pods: 1, Extended: map[corev1.ResourceName]int64{"example.com/tpu": 1}}, 0},
		"nothing requested": {placement.Resources{}, math.MaxInt64},
	} {
		if got := node.Holds(c.requested); got != c.want {
			t.Errorf("%s: %d, want %d", about, got, c.want)
		}
	}
	if got := (placement.Resources{Pods: -3}).Holds(placement.Resources{Pods: 1}); got != 0 {
		t.Errorf("overdrawn: %d, want 0", got)
	}
}
