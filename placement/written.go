// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// written is Constraints in JSON.
type written struct {
	NodeName string               `json:"nodeName,omitempty"`
	OS       string               `json:"os,omitempty"`
	Selector map[string]string    `json:"nodeSelector,omitempty"`
	Required *corev1.NodeSelector `json:"requiredNodeAffinity,omitempty"`
	// Named is null where any name will do. An empty list allows none.
	Named       []string            `json:"namedNodes"`
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	Beyond      bool                `json:"beyondLimits,omitempty"`
	Requests    Resources           `json:"requests"`
}

// MarshalJSON implements [json.Marshaler].
func (c *Constraints) MarshalJSON() ([]byte, error) {
	w := written{
		NodeName: c.nodeName, OS: c.os, Selector: c.selector, Required: c.required, Tolerations: c.tolerations,
		Beyond: c.beyond, Requests: c.requests,
	}
	if c.named != nil {
		w.Named = slices.AppendSeq([]string{}, maps.Keys(c.named))
		slices.Sort(w.Named)
	}
	return json.Marshal(w)
}

// UnmarshalJSON implements [json.Unmarshaler]. It is for a value that nobody uses yet. Constraints read back judge every node as
// those that were written; of those that [Of] had to shorten, the Key may be another one.
func (c *Constraints) UnmarshalJSON(data []byte) error {
	var w written
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*c = Constraints{
		nodeName: w.NodeName, os: w.OS, selector: w.Selector, required: w.Required, tolerations: w.Tolerations,
		beyond: w.Beyond, requests: w.Requests,
	}
	if c.required != nil {
		c.affinity, c.byHostname = nodeaffinity.NewLazyErrorNodeSelector(c.required), namesHostname(c.required)
	}
	if w.Named != nil {
		c.named = make(map[string]struct{}, len(w.Named))
		for _, name := range w.Named {
			c.named[name] = struct{}{}
		}
	}
	c.key = keyOf(c, c.required)
	return nil
}
