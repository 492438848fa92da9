// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Paths say where objects of a kind that is not Kubernetes' own have their template and their number of pods: names of
// fields, outermost first. An object without the number wants one pod.
type Paths struct {
	Template, Replicas []string
}

func (p *Paths) read(object []byte) (*Workload, error) {
	var named struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	if err := utiljson.Unmarshal(object, &named); err != nil {
		return nil, err
	}
	template, err := at(object, p.Template)
	if err != nil {
		return nil, err
	}
	if template == nil {
		return nil, ErrNoTemplate
	}
	w := &Workload{Meta: named.Metadata, Replicas: 1, Path: strings.Join(p.Template, ".")}
	if err := utiljson.Unmarshal(template, &w.Template); err != nil {
		return nil, fmt.Errorf("%s is not a pod template: %w", w.Path, err)
	}
	replicas, err := at(object, p.Replicas)
	if err != nil {
		return nil, err
	}
	if replicas != nil {
		var n int64
		if err := utiljson.Unmarshal(replicas, &n); err != nil {
			return nil, fmt.Errorf("%s is not a whole number", strings.Join(p.Replicas, "."))
		}
		w.Replicas = int(min(max(n, 0), math.MaxInt32))
	}
	return w, nil
}

// at returns what the path leads to, nil where that is null or not there.
func at(object json.RawMessage, path []string) (json.RawMessage, error) {
	for i, name := range path {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(object, &fields); err != nil {
			return nil, fmt.Errorf("%s is not an object", strings.Join(path[:i], "."))
		}
		object = fields[name]
		if object == nil || bytes.Equal(object, []byte("null")) {
			return nil, nil
		}
	}
	if len(path) == 0 {
		return nil, nil
	}
	return object, nil
}
