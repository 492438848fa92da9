// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"iter"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// maxWishes bounds the parts of a pod's required node affinity, and its tolerations, that are held against a node. Nobody
// writes as many; but a pod has room for tens of thousands, which every node would have to be held against, whenever it
// changes and for every pod that is judged.
const maxWishes = 2000

// Constraints is what a pod spec says about where the pod may run. It is made by
// [Of], never changes, and keeps nothing of the spec alive or shared.
type Constraints struct {
	key         string
	nodeName    string
	os          string
	selector    map[string]string
	required    *corev1.NodeSelector                // what affinity was made of; nil: no required affinity
	affinity    *nodeaffinity.LazyErrorNodeSelector // nil like required
	tolerations []corev1.Toleration
	requests    Resources
	// beyond says that the pod has more affinity or more tolerations than are looked at: as for what can't be understood,
	// every node counts as possible and none as likely.
	beyond bool
	// named are the only nodes that every term of the affinity names in
	// matchFields, as those of DaemonSet pods do; nil when some term names none.
	// It is a short cut: what it lets through is matched in full.
	named map[string]struct{}
}

// Of returns the constraints of a pod, or of a workload's pod template. A nil
// spec has none.
func Of(spec *corev1.PodSpec) *Constraints {
	if spec == nil {
		spec = &corev1.PodSpec{}
	}
	c := &Constraints{
		nodeName:    spec.NodeName,
		selector:    maps.Clone(spec.NodeSelector),
		tolerations: slices.Clone(spec.Tolerations),
		requests:    RequestsOf(spec),
	}
	if spec.OS != nil {
		c.os = string(spec.OS.Name)
	}
	// The parsed selector goes on using the values it is made of.
	required := shortened(requiredAffinity(spec).DeepCopy())
	switch {
	case parts(required) > maxWishes || len(spec.Tolerations) > maxWishes:
		c.beyond, c.tolerations, required = true, nil, nil
	case required != nil:
		c.required = withoutErrorsTwice(required)
		c.affinity = nodeaffinity.NewLazyErrorNodeSelector(c.required)
		c.named = namedNodes(required)
	}
	c.key = keyOf(c, required)
	return c
}

// OfDaemonSet returns the constraints of the pods that a DaemonSet makes of its
// template. They tolerate more than the template says: its controller adds
// tolerations of the node's own conditions (pkg/controller/daemon/util
// AddOrUpdateDaemonPodTolerations). To which node each pod is tied is left out.
func OfDaemonSet(template *corev1.PodSpec) *Constraints {
	if template == nil {
		template = &corev1.PodSpec{}
	}
	spec := *template
	spec.Tolerations = slices.Concat(template.Tolerations, daemonTolerations(template.HostNetwork))
	return Of(&spec)
}

// Key is equal for pods that may run on the same nodes for the same reasons: the
// pods of one template, and all that ask for nothing special. Requests are not
// part of it: they don't decide where a pod could ever land. It is 64 bytes long.
func (c *Constraints) Key() string { return c.key }

// NodeName is spec.nodeName, empty for a pod that is not bound.
func (c *Constraints) NodeName() string { return c.nodeName }

// NamedNodes returns the names of the only nodes that the pod's required affinity
// lets it onto, and false where that names none: the pods of a DaemonSet name one.
func (c *Constraints) NamedNodes() (names iter.Seq[string], only bool) {
	return maps.Keys(c.named), c.named != nil
}

// Selects returns the value that the pod's nodeSelector asks of a label, and
// whether it asks for any. Its required affinity is not looked at.
func (c *Constraints) Selects(label string) (value string, selected bool) {
	value, selected = c.selector[label]
	return value, selected
}

// Named returns the names of the only nodes that the pod could ever land on, and false where it does not name them: in the fields
// of its required affinity, as pods of DaemonSets do. None of them need be possible. Callers must not change the map.
func (c *Constraints) Named() (names map[string]struct{}, named bool) { return c.named, c.named != nil }

// Requests are what the scheduler sets aside for the pod. Callers must not
// change the map in it.
func (c *Constraints) Requests() Resources { return c.requests }

// parts counts terms, requirements and values.
func parts(required *corev1.NodeSelector) int {
	if required == nil {
		return 0
	}
	count := 0
	for i := range required.NodeSelectorTerms {
		term := &required.NodeSelectorTerms[i]
		count++
		for _, requirements := range [][]corev1.NodeSelectorRequirement{term.MatchExpressions, term.MatchFields} {
			for k := range requirements {
				count += 1 + len(requirements[k].Values)
			}
		}
	}
	return count
}

func requiredAffinity(spec *corev1.PodSpec) *corev1.NodeSelector {
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil {
		return nil
	}
	return spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

// withoutErrorsTwice leaves out all but one of the terms that don't parse: one is enough to make every node possible, and each
// would cost an error on each node.
func withoutErrorsTwice(required *corev1.NodeSelector) *corev1.NodeSelector {
	if len(required.NodeSelectorTerms) < 2 {
		return required
	}
	kept, unparsed := &corev1.NodeSelector{}, false
	for _, term := range required.NodeSelectorTerms {
		if _, err := nodeaffinity.NewNodeSelector(&corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}}); err != nil {
			if unparsed {
				continue
			}
			unparsed = true
		}
		kept.NodeSelectorTerms = append(kept.NodeSelectorTerms, term)
	}
	return kept
}

// maxExpressions of one term are looked at. Parsing them takes time that grows with the
// square of their number (labels.Selector.Add sorts each time): ten thousand take seconds.
const maxExpressions = 200

// shortened leaves out what is too much in a term. All of a term's expressions have to
// match, so that this lets in nodes that the pod can't go to, and keeps out none that it
// can: nothing is refused for it that would fit somewhere.
func shortened(required *corev1.NodeSelector) *corev1.NodeSelector {
	if required == nil {
		return nil
	}
	for i := range required.NodeSelectorTerms {
		term := &required.NodeSelectorTerms[i]
		term.MatchExpressions = term.MatchExpressions[:min(len(term.MatchExpressions), maxExpressions)]
	}
	return required
}

// namedNodes returns the names that the terms, of which one must match, allow;
// nil when a term allows any name.
func namedNodes(required *corev1.NodeSelector) map[string]struct{} {
	names := map[string]struct{}{}
	for i := range required.NodeSelectorTerms {
		named := false
		for _, r := range required.NodeSelectorTerms[i].MatchFields {
			if r.Key == metav1.ObjectNameField && r.Operator == corev1.NodeSelectorOpIn {
				named = true
				for _, name := range r.Values {
					names[name] = struct{}{}
				}
			}
		}
		if !named {
			return nil
		}
	}
	return names
}
