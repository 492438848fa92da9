// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// PerNode returns how many pods of one template may share a node, as far as the template itself says so; 0 for any number.
// One may where they use ports of the node, or where required anti-affinity keeps each from the others by host name; as many as
// maxSkew where they have to be spread by host name, as long as some node has none. What would keep them apart by larger
// domains, such as zones, is left out, and so is what can't be understood.
func PerNode(template *corev1.Pod) int {
	switch {
	case template == nil:
		return 0
	case usesHostPorts(&template.Spec), apartByHost(template):
		return 1
	default:
		return spreadByHost(template)
	}
}

// usesHostPorts reports whether a container that runs as long as the pod listens on the node itself. With hostNetwork each of
// its ports does so: the API server sets hostPort (SetDefaults_PodSpec), files that nobody applied yet don't have it.
func usesHostPorts(spec *corev1.PodSpec) bool {
	listens := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort > 0 || spec.HostNetwork && p.ContainerPort > 0 })
	}
	return slices.ContainsFunc(spec.Containers, listens) ||
		slices.ContainsFunc(spec.InitContainers, func(c corev1.Container) bool {
			return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways && listens(c)
		})
}

func apartByHost(template *corev1.Pod) bool {
	affinity := template.Spec.Affinity
	if affinity == nil || affinity.PodAntiAffinity == nil {
		return false
	}
	return slices.ContainsFunc(affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution, func(term corev1.PodAffinityTerm) bool {
		everywhere := term.NamespaceSelector != nil && len(term.NamespaceSelector.MatchLabels)+len(term.NamespaceSelector.MatchExpressions) == 0
		own := len(term.Namespaces) == 0 && term.NamespaceSelector == nil || slices.Contains(term.Namespaces, template.Namespace)
		return term.TopologyKey == corev1.LabelHostname && (own || everywhere) && finds(term.LabelSelector, template.Labels)
	})
}

func spreadByHost(template *corev1.Pod) int {
	least := 0
	for i := range template.Spec.TopologySpreadConstraints {
		c := &template.Spec.TopologySpreadConstraints[i]
		skew := int(c.MaxSkew)
		if c.TopologyKey == corev1.LabelHostname && c.WhenUnsatisfiable == corev1.DoNotSchedule && skew > 0 && (least == 0 || skew < least) &&
			finds(c.LabelSelector, template.Labels) {
			least = skew
		}
	}
	return least
}

func finds(selector *metav1.LabelSelector, own map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(own))
}
