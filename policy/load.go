// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

// Load decodes the text of a policy. Fields that are absent or null keep their defaults, an empty document is the default
// policy. On any mistake p is nil and err is an *InvalidError that holds all of them.
//
// With strict, which is for admission and the command line, fields that this version doesn't know are mistakes. Without,
// which is for a policy that is already in the cluster, they are returned as warnings, one sentence each: a downgrade of
// Headroom must not lose the policy.
func Load(data []byte, strict bool) (p *Policy, warnings []string, err error) {
	return load(data, strict)
}

func load(data []byte, strict bool) (*Policy, []string, error) {
	_ = data
	_ = strict
	return Default(), nil, nil
}
