// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/headroom-dev/headroom/verdict"
)

// policyProperties is the schema of the whole policy, in the order of the reference.
func policyProperties() []property[Policy] {
	return []property[Policy]{
		{
			name: "apiVersion", kind: "must be `" + APIVersion + "`", required: true,
			meaning: "The version of this schema.",
			read:    func(d *decoder, at place, _ *Policy) { oneOf(d, at, new(string), []string{APIVersion}) },
		},
		{
			name: "kind", kind: "must be `" + Kind + "`", required: true,
			meaning: "What this document is.",
			read:    func(d *decoder, at place, _ *Policy) { oneOf(d, at, new(string), []string{Kind}) },
		},
		{
			name: "mode", kind: "`Off`, `Audit`, `Warn` or `Enforce`", preset: "Warn",
			meaning: "What happens to a pod at or past a threshold. `Audit` writes annotations, reports and metrics; `Warn` also tells whoever creates the pod; " +
				"`Enforce` also refuses pods. `Off` wins over every namespace's label.",
			read: func(d *decoder, at place, p *Policy) { oneOf(d, at, &p.Mode, Modes()) },
		},
		{
			name: "namespaceOverrides", kind: "`None`, `Tighten` or `Any`", preset: "Tighten",
			meaning: "What the label `" + ModeLabel + "` on a namespace may do: nothing, ask for a stricter mode, or ask for any mode.",
			read: func(d *decoder, at place, p *Policy) {
				oneOf(d, at, &p.NamespaceOverrides, []Overrides{OverridesNone, OverridesTighten, OverridesAny})
			},
		},
		{
			name: "warnAt", kind: "`TriggersGC`, `PressuresDisk`, `EvictsPods`, `FillsDisk` or `NeverFits`", preset: "EvictsPods",
			meaning: "The mildest verdict that is warned about. Not past `denyAt`.",
			read:    func(d *decoder, at place, p *Policy) { oneOf(d, at, &p.WarnAt, thresholds()) },
		},
		{
			name: "denyAt", kind: "`TriggersGC`, `PressuresDisk`, `EvictsPods`, `FillsDisk` or `NeverFits`", preset: "EvictsPods",
			meaning: "The mildest verdict that is refused where the mode is `Enforce`.",
			read:    func(d *decoder, at place, p *Policy) { oneOf(d, at, &p.DenyAt, thresholds()) },
		},
		{
			name: "safetyMargin", kind: "percentage, less than 100%", preset: "0%",
			meaning: "A share of each disk's capacity that warnings keep free. It is never used to refuse a pod.",
			read:    func(d *decoder, at place, p *Policy) { d.percent(at, &p.SafetyMargin.Percent) },
		},
		{
			name: "maxStaleness", kind: "duration, at least 1s", preset: "90s",
			meaning: "Measurements that are older never refuse a pod. Nodes with much room are measured as seldom as this allows.",
			read:    func(d *decoder, at place, p *Policy) { d.duration(at, &p.MaxStaleness, time.Second) },
		},
		{
			name: "steer", kind: "`On`, `Off` or `Auto`", preset: "Auto",
			meaning: "Whether a pod goes back to the scheduler when the node that it chose is too full and another one would do. `Auto` is on where the mode is `Enforce`.",
			read:    func(d *decoder, at place, p *Policy) { oneOf(d, at, &p.Steer, []Steer{SteerOn, SteerOff, SteerAuto}) },
		},
		{
			name: "exemptions", kind: "object", meaning: "What is never judged.",
			read:   func(d *decoder, at place, p *Policy) { readObject(d, at, &p.Exemptions, exemptionProperties()) },
			inside: rows(exemptionProperties()),
		},
		{
			name: "startupTaints", kind: "list of taint keys", preset: "[]",
			meaning: "Taints that go away by themselves when a node has started, such as `node.cilium.io/agent-not-ready`. A node that has one counts as a node that a pod could land on.",
			read:    func(d *decoder, at place, p *Policy) { p.StartupTaints = d.words(at, wrongTaintKey) },
		},
		{
			name: "nodePools", kind: "list of objects", preset: "[]",
			meaning: "What no API tells about some nodes. The first pool whose selector finds a node counts.",
			read:    func(d *decoder, at place, p *Policy) { p.NodePools = d.nodePools(at) },
			inside:  rows(nodePoolProperties()),
		},
		{
			name: "registries", kind: "list of `host` or `host:port`", preset: "[docker.io, ghcr.io, quay.io, registry.k8s.io, gcr.io, public.ecr.aws, nvcr.io, mcr.microsoft.com]",
			meaning: "The registries that may be asked for the size of an image.",
			read:    func(d *decoder, at place, p *Policy) { p.Registries = d.words(at, wrongRegistry) },
		},
		{
			name: "images", kind: "list of objects", preset: "[]",
			meaning: "Sizes that nobody else can know. The first entry that matches an image counts.",
			read:    func(d *decoder, at place, p *Policy) { p.Images = d.images(at) },
			inside:  rows(imageProperties()),
		},
		{
			name: "unknownImage", kind: "`Unknown` or object", preset: "Unknown",
			meaning: "What an image is taken to be when no source knows its size. For warnings only: the lower bound is 0, so that no pod is refused over it.",
			read:    func(d *decoder, at place, p *Policy) { d.unknownImage(at, &p.UnknownImage) },
			inside:  rows(unknownImageProperties()),
		},
		{
			name: "exceptions", kind: "list of objects", preset: "[]",
			meaning: "Pods that are let through, for a reason and until a day. All selectors that are given have to match; at least one is. The first exception that selects a pod and whose allowance it keeps counts.",
			read:    func(d *decoder, at place, p *Policy) { p.Exceptions = d.exceptions(at) },
			inside:  rows(exceptionProperties()),
		},
		{
			name: "workloads", kind: "list of objects", preset: "[]",
			meaning: "Kinds of objects, besides Kubernetes' own, that hold the template of a pod.",
			read:    func(d *decoder, at place, p *Policy) { p.Workloads = d.workloads(at) },
			inside:  rows(workloadProperties()),
		},
		{
			name: "messages", kind: "object", meaning: "What the sentences that tenants read may tell.",
			read:   func(d *decoder, at place, p *Policy) { readObject(d, at, &p.Messages, messageProperties()) },
			inside: rows(messageProperties()),
		},
	}
}

func exemptionProperties() []property[Exemptions] {
	return []property[Exemptions]{
		{
			name: "namespaces", kind: "list of names", preset: "[kube-system, kube-node-lease, kube-public]",
			meaning: "Namespaces whose pods are admitted without judging. A list here replaces the default.",
			read:    func(d *decoder, at place, e *Exemptions) { e.Namespaces = d.words(at, wrongLabelName) },
		},
		{
			name: "priorityClasses", kind: "list of names", preset: "[system-node-critical, system-cluster-critical]",
			meaning: "PriorityClasses whose pods are admitted without judging. A list here replaces the default.",
			read:    func(d *decoder, at place, e *Exemptions) { e.PriorityClasses = d.words(at, wrongObjectName) },
		},
	}
}

func messageProperties() []property[Messages] {
	return []property[Messages]{
		{
			name: "nodeNames", kind: "boolean", preset: "false", meaning: "Whether they name nodes.",
			read: func(d *decoder, at place, m *Messages) { d.boolean(at, &m.NodeNames) },
		},
		{
			name: "numbers", kind: "boolean", preset: "true", meaning: "Whether they hold sizes.",
			read: func(d *decoder, at place, m *Messages) { d.boolean(at, &m.Numbers) },
		},
	}
}

// thresholds are the verdicts that a threshold can be: everything reaches Fits, nothing reaches Unknown.
func thresholds() []verdict.Verdict {
	return []verdict.Verdict{verdict.TriggersGC, verdict.PressuresDisk, verdict.EvictsPods, verdict.FillsDisk, verdict.NeverFits}
}

// thresholdsInOrder reports a policy by which pods are refused that are not even warned about.
func (d *decoder) thresholdsInOrder(root *yaml.Node, p *Policy) {
	if p.WarnAt.Severity() <= p.DenyAt.Severity() || d.mistaken("warnAt") || d.mistaken("denyAt") {
		return
	}
	at := place{path: field.NewPath("warnAt"), node: root}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if name := root.Content[i].Value; name == "warnAt" || name == "denyAt" {
			at.node = root.Content[i]
		}
	}
	d.mistake(at, field.Invalid(at.path, p.WarnAt, fmt.Sprintf("must not be more severe than denyAt, which is %s", p.DenyAt)))
}
