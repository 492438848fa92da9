// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"github.com/headroom-dev/headroom/policy"
)

// PolicyOrigin says where the policy in force comes from. It is a closed set, fit to be the label of a metric.
type PolicyOrigin string

const (
	// PolicyPending is before the first answer of the API server: the defaults in mode Audit.
	PolicyPending PolicyOrigin = "pending"
	// PolicyConfigMap is a valid text of the ConfigMap, the latest or an earlier one.
	PolicyConfigMap PolicyOrigin = "configmap"
	// PolicyDefaults is for no ConfigMap.
	PolicyDefaults PolicyOrigin = "defaults"
	// PolicyFallback is for an invalid text and none before it: the defaults in mode Audit.
	PolicyFallback PolicyOrigin = "fallback"
)

// PolicyState is about the policy in force.
type PolicyState struct {
	Source PolicyOrigin
	// Version is that of the policy in force: see policy.Policy, and "pending" before the first answer of the API server. Equal on
	// all replicas that have read the same ConfigMap.
	Version string
	// Valid is false while the ConfigMap's text is not the one in force because it isn't valid, and before the first read.
	Valid bool
	// Problem says what is wrong with it, with field paths; "" when Valid.
	Problem string
	// ResourceVersion is that of the latest ConfigMap seen; "" without one.
	ResourceVersion string
}

// keepable reports whether there is a policy that can stay in force. Where there is, a field that this version does not know
// is a mistake: most likely a misspelt one. Where there is none, the process has just started, maybe as a downgrade, and the
// rest of what a newer version was told is better than nothing.
func (s PolicyState) keepable() bool {
	return s.Source == PolicyConfigMap || s.Source == PolicyDefaults
}

// PolicyLoads counts what became of the texts seen.
type PolicyLoads struct {
	Valid, Invalid, Deleted uint64
}

// loaded is a policy with its state, swapped as one.
type loaded struct {
	policy *policy.Policy
	state  PolicyState
	text   string // empty for the defaults
}

// PolicyInForce is a policy with what it was read from.
type PolicyInForce struct {
	Policy *policy.Policy
	// Text is the YAML, empty where the policy's version says that there is none.
	Text string
}

func defaults() *loaded {
	p := policy.Default()
	return &loaded{policy: p, state: PolicyState{Source: PolicyDefaults, Version: p.Version, Valid: true}}
}

func auditDefaults(source PolicyOrigin, problem string) *loaded {
	p := policy.Fallback()
	p.Version = string(source)
	return &loaded{policy: p, state: PolicyState{Source: source, Version: p.Version, Problem: problem}}
}
