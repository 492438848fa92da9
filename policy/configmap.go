// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import "fmt"

// LoadConfigMap is Load for the data of the ConfigMap. One without the key is not valid: a misspelt key must not look like a
// wish for the defaults.
func LoadConfigMap(data map[string]string, strict bool) (p *Policy, warnings []string, err error) {
	text, found := data[ConfigMapKey]
	if !found {
		return nil, nil, fmt.Errorf("the ConfigMap has no key %q: put the policy there, or delete the ConfigMap for the defaults", ConfigMapKey)
	}
	return Load([]byte(text), strict)
}

// SameText reports whether the data of two ConfigMaps has the same policy, valid or not.
func SameText(a, b map[string]string) bool {
	x, foundX := a[ConfigMapKey]
	y, foundY := b[ConfigMapKey]
	return x == y && foundX == foundY
}
