// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// selector makes q.matches of the namespace and the selectors. A selector of labels, or of fields but the name, decodes every
// object that is looked at. Fields are found by their path in the object, such as spec.nodeName, whether or not the API
// server knows them.
func (q *query) selector(c *collection) error {
	byLabel, err := labels.Parse(q.LabelSelector)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	byField, err := fields.ParseSelector(q.FieldSelector)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	name, named := byField.RequiresExactMatch("metadata.name")
	decode := !byLabel.Empty() || !byField.Empty() && (!named || len(byField.Requirements()) > 1)
	q.forGood = !decode
	q.matches = func(i item) bool {
		if q.namespace != "" || named {
			namespace, called := c.keyOf(&i)
			if q.namespace != "" && q.namespace != namespace || named && called != name {
				return false
			}
		}
		return !decode || c.selected(&i, byLabel, byField)
	}
	return nil
}

// keyOf is an object's namespace and name.
func (c *collection) keyOf(i *item) (namespace, name string) {
	if i.index >= 0 {
		return c.generated.Key(i.index, i.state)
	}
	namespace, name, _ = strings.Cut(i.own.key, "/")
	return namespace, name
}

func (c *collection) selected(i *item, byLabel labels.Selector, byField fields.Selector) bool {
	o, err := c.decoded(i)
	if err != nil {
		return false
	}
	if !byLabel.Matches(labels.Set(o.GetLabels())) {
		return false
	}
	if byField.Empty() {
		return true
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return false
	}
	set := fields.Set{}
	for _, r := range byField.Requirements() {
		if value, found, err := unstructured.NestedFieldNoCopy(content, strings.Split(r.Field, ".")...); err == nil && found {
			set[r.Field] = fmt.Sprint(value)
		}
	}
	return byField.Matches(set)
}
