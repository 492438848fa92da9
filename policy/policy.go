// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package policy is what an operator tells Headroom: the text of the ConfigMap headroom-policy in typed, defaulted and
// validated form.
//
// Load is the only way from text to a Policy, and reports every mistake with its field path and line. A loaded Policy is
// shared between goroutines and never changed. Sizes are bytes, shares of a disk are percents.
package policy

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/verdict"
)

const (
	// APIVersion is the only version of the policy that this program reads.
	APIVersion = "headroom.dev/v1alpha1"
	// Kind is what a policy says it is.
	Kind = "Policy"
	// ConfigMapName names the ConfigMap that holds the policy.
	ConfigMapName = "headroom-policy"
	// Namespace is where that ConfigMap lives.
	Namespace = "headroom-system"
	// ConfigMapKey is the key of that ConfigMap under which the policy's YAML text is.
	ConfigMapKey = "policy.yaml"
	// ModeLabel is the label by which a namespace asks for a mode of its own.
	ModeLabel = "headroom.dev/mode"
)

// Policy is a valid policy with every default filled in. Treat it as immutable.
type Policy struct {
	// Version names what the policy was made from: twelve hexadecimal digits of its text's hash, DefaultVersion or
	// FallbackVersion. Nothing is decided by it.
	Version string
	// Mode is what happens to pods at or past the thresholds.
	Mode Mode
	// NamespaceOverrides is what ModeLabel on a namespace may do.
	NamespaceOverrides Overrides
	// WarnAt is the mildest verdict that is warned about; DenyAt, never milder, the mildest that is refused. Neither is
	// ever Fits or Unknown.
	WarnAt, DenyAt verdict.Verdict
	// SafetyMargin is taken from a node's likely free space before warning. It never makes a refusal.
	SafetyMargin Margin
	// MaxStaleness is the age above which a measurement refuses nothing.
	MaxStaleness time.Duration
	// Steer says whether bindings to nodes that are too full are sent back.
	Steer Steer
	// Exemptions lists what is never judged.
	Exemptions Exemptions
	// StartupTaints are the keys of taints that go away by themselves: a node that has one is still possible for a pod.
	StartupTaints []string
	// NodePools says what no API tells about some nodes. The first one that selects a node counts; see PoolOf.
	NodePools []NodePool
	// Registries are the hosts that may be asked for the size of an image.
	Registries []string
	// Images are sizes that nobody else can know. The first one that matches counts; see SizeOf.
	Images []ImageSize
	// UnknownImage is what an image is taken to be when no source knows its size.
	UnknownImage UnknownImage
	// Exceptions let pods through until a day; see ExceptionsFor.
	Exceptions []Exception
	// Workloads are kinds of objects that hold pod templates, beyond Kubernetes' own; see WorkloadOf.
	Workloads []WorkloadKind
	// Messages says how much the sentences that tenants read may tell.
	Messages Messages
}

// Margin is a share of a disk's capacity.
type Margin struct {
	// Percent is at least 0 and less than 100.
	Percent float64
}

// Of returns the margin's bytes for a disk of this capacity, rounded to the nearest one.
func (m Margin) Of(capacityBytes int64) int64 {
	share := m.Percent / 100
	return estimate.Exactly(capacityBytes).Times(estimate.Factor{Low: share, Likely: share, High: share}).Likely
}

// Exemptions lists the pods that are always admitted without judging.
type Exemptions struct {
	// Namespaces are names of namespaces.
	Namespaces []string
	// PriorityClasses are names of PriorityClasses.
	PriorityClasses []string
}

// UnknownImage is the size of an image that nobody knows. The zero value makes no assumption: the verdict is Unknown.
type UnknownImage struct {
	// LikelyBytes and HighBytes are for warnings; HighBytes is more than 0 where a size is assumed at all.
	LikelyBytes, HighBytes int64
}

// Size returns the assumed size, whose lower bound is 0 so that it never refuses a pod, and whether there is one.
func (u UnknownImage) Size() (estimate.Bytes, bool) {
	if u.HighBytes <= 0 {
		return estimate.Bytes{}, false
	}
	return estimate.Between(0, u.LikelyBytes, u.HighBytes), true
}

// Messages says what sentences that tenants read may hold.
type Messages struct {
	// NodeNames allows names of nodes.
	NodeNames bool
	// Numbers allows sizes.
	Numbers bool
}

// Default returns the policy that is in force where nobody wrote one. The caller owns it.
func Default() *Policy {
	return &Policy{
		Version:            DefaultVersion,
		Mode:               Warn,
		NamespaceOverrides: OverridesTighten,
		WarnAt:             verdict.EvictsPods,
		DenyAt:             verdict.EvictsPods,
		MaxStaleness:       90 * time.Second,
		Steer:              SteerAuto,
		Exemptions: Exemptions{
			Namespaces:      []string{metav1.NamespaceSystem, "kube-node-lease", metav1.NamespacePublic},
			PriorityClasses: []string{"system-node-critical", "system-cluster-critical"},
		},
		Registries: []string{
			"docker.io", "ghcr.io", "quay.io", "registry.k8s.io", "gcr.io", "public.ecr.aws", "nvcr.io", "mcr.microsoft.com",
		},
		Messages: Messages{Numbers: true},
	}
}

// Fallback returns the policy of a process that has no valid one: the default in mode Audit. The caller owns it.
func Fallback() *Policy {
	p := Default()
	p.Version, p.Mode = FallbackVersion, Audit
	return p
}

// Exempt reports whether pods of this namespace or priority class are admitted without judging, and which of the two it
// was: "namespace" or "priorityClass".
func (p *Policy) Exempt(namespace, priorityClass string) (reason string, exempt bool) {
	switch {
	case slices.Contains(p.Exemptions.Namespaces, namespace):
		return "namespace", true
	case priorityClass != "" && slices.Contains(p.Exemptions.PriorityClasses, priorityClass):
		return "priorityClass", true
	default:
		return "", false
	}
}
