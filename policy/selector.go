// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
)

func selectorProperties() []property[metav1.LabelSelector] {
	return []property[metav1.LabelSelector]{
		{name: "matchLabels", read: func(d *decoder, at place, s *metav1.LabelSelector) { s.MatchLabels = d.labelValues(at) }},
		{name: "matchExpressions", read: func(d *decoder, at place, s *metav1.LabelSelector) {
			s.MatchExpressions = readList(d, at, func(at place) (metav1.LabelSelectorRequirement, bool) {
				var requirement metav1.LabelSelectorRequirement
				readObject(d, at, &requirement, requirementProperties())
				return requirement, true
			})
		}},
	}
}

func requirementProperties() []property[metav1.LabelSelectorRequirement] {
	return []property[metav1.LabelSelectorRequirement]{
		{
			name: "key", kind: "label", required: true,
			read: func(d *decoder, at place, r *metav1.LabelSelectorRequirement) { r.Key, _ = d.text(at) },
		},
		{
			name: "operator", kind: "In, NotIn, Exists or DoesNotExist", required: true,
			read: func(d *decoder, at place, r *metav1.LabelSelectorRequirement) {
				text, _ := d.text(at)
				r.Operator = metav1.LabelSelectorOperator(text)
			},
		},
		{name: "values", read: func(d *decoder, at place, r *metav1.LabelSelectorRequirement) {
			r.Values = readList(d, at, d.text)
		}},
	}
}

// selector reads and compiles a label selector, by Kubernetes' own rules.
func (d *decoder) selector(at place) (selector metav1.LabelSelector, compiled labels.Selector, ok bool) {
	before := len(d.mistakes)
	readObject(d, at, &selector, selectorProperties())
	if len(d.mistakes) > before {
		return selector, nil, false
	}
	for _, err := range validation.ValidateLabelSelector(&selector, validation.LabelSelectorValidationOptions{}, at.path) {
		d.mistake(at, err)
	}
	if len(d.mistakes) > before {
		return selector, nil, false
	}
	compiled, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		d.invalid(at, err.Error())
		return selector, nil, false
	}
	return selector, compiled, true
}

// labelValues reads a mapping of text to text; ValidateLabelSelector judges the texts.
func (d *decoder) labelValues(at place) map[string]string {
	if at.node.Kind != yaml.MappingNode {
		d.invalid(at, "must be a mapping of labels to values")
		return nil
	}
	all := make(map[string]string, len(at.node.Content)/2)
	for i := 0; i+1 < len(at.node.Content); i += 2 {
		key, value := at.node.Content[i], at.node.Content[i+1]
		entry := place{path: at.path.Key(shorten(written(key))), node: value}
		if _, seen := all[key.Value]; seen || key.Kind != yaml.ScalarNode {
			entry.node = key
			d.invalid(entry, "must be a label, and each label only once")
			continue
		}
		if text, ok := d.text(entry); ok {
			all[key.Value] = text
		}
	}
	return all
}
