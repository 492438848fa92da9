// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// Reasons that arise here and not in package fit: labels and annotations like those.
const (
	Unreadable      fit.Reason = "unreadable"         // no AdmissionReview with a UID: answered with HTTP 400 or 413
	UnknownVersion  fit.Reason = "unknown-version"    // an AdmissionReview of a version that is not v1
	Unexpected      fit.Reason = "unexpected-request" // the webhook's rules ask for more than they should
	UnknownKind     fit.Reason = "unknown-kind"       // of these objects nobody knows where their pod template is
	Undecodable     fit.Reason = "undecodable"        // the object can't be decoded
	UnknownTemplate fit.Reason = "unknown-template"   // what is scaled has no pod that tells what its pods are like
	TimedOut        fit.Reason = "timeout"            // no decision in the time that the API server gives
	Panicked        fit.Reason = "panic"              // a mistake in the code that decides
	Inconsistent    fit.Reason = "inconsistent"       // a decision whose action its own mode or verdict does not allow
	otherReason     fit.Reason = "other"
)

// Exemption is why a request was not judged: a label and an annotation.
type Exemption string

// The exemptions.
const (
	MirrorPod           Exemption = "mirror"
	NamespaceExempt     Exemption = "namespace"
	PriorityClassExempt Exemption = "priorityClass"
	SwitchedOff         Exemption = "off"         // the mode in force is Off
	Unchanged           Exemption = "unchanged"   // the update changes nothing that matters here
	HarmlessSubresource Exemption = "subresource" // it brings no image to any node
	NoTemplate          Exemption = "noTemplate"  // the workload has no pod template
	otherExemption      Exemption = "other"
)

// Webhooks as labels: the first part of their names.
const (
	podsLabel      = "pods"
	workloadsLabel = "workloads"
	bindingsLabel  = "bindings"
	policyLabel    = "policy"
	otherLabel     = "other"
)

// How a wait for the size of an image can end.
const (
	waitAnswered = "answered"
	waitTimedOut = "timeout"
	waitRefused  = "refused"
)

// What can become of a setting.
const (
	settingAdmitted = "admitted"
	settingRefused  = "refused"
)

const (
	metricsNamespace = "headroom"
	metricsSubsystem = "admission"
	unknownMode      = "Unknown"
)

// Metrics counts what the webhook answered. Label values are closed sets: a name from the cluster is never one.
type Metrics struct {
	decisions, undecidedBy, exemptedBy, sizeWaits, bindings, settings *prometheus.CounterVec
	// decisionsOf, undecidedOf and exemptedOf have the series of the first three: to find one by its labels takes longer than to
	// count.
	decisionsOf series[decisionLabels]
	undecidedOf series[whyLabels]
	exemptedOf  series[whyLabels]

	panics           prometheus.Counter
	typedDecodes     prometheus.Counter
	duration, whatIf prometheus.Histogram
}

// NewMetrics makes the webhook's metrics and registers them with r, which may be nil. It panics if they are registered
// there already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help}, labels)
	}
	m := &Metrics{
		decisions: counter("decisions_total",
			"Requests judged, by webhook (pods, workloads, bindings), verdict, mode in force for the object (Audit, Warn, Enforce) and action (Allow, Warn, Deny).",
			"webhook", "verdict", "mode", "action"),
		undecidedBy: counter("undecided_total",
			"Requests admitted because no opinion, or no firmer one, could be reached, by webhook and reason.", "webhook", "reason"),
		exemptedBy: counter("exempt_total",
			"Requests admitted without judging them, by webhook and exemption.", "webhook", "exemption"),
		sizeWaits: counter("size_waits_total",
			"Requests that waited for the size of an image, by outcome: answered, timeout, or refused because too many waited.", "outcome"),
		bindings: newBindingCounter(f.NewCounterVec),
		settings: counter("settings_total",
			"Policies and labels of namespaces judged, by setting (policy, namespace) and answer (admitted, refused).", "setting", "answer"),
		panics: f.NewCounter(prometheus.CounterOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "panics_total",
			Help: "Panics while judging a request. It was admitted.",
		}),
		typedDecodes: f.NewCounter(prometheus.CounterOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "typed_decodes_total",
			Help: "Reviews out of the ordinary, of which all was decoded and not only what is needed: they are judged like all others, but take longer.",
		}),
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "evaluation_duration_seconds",
			Help:    "Time to judge one pod or template against the ledger, without HTTP, JSON and waits.",
			Buckets: prometheus.ExponentialBuckets(10e-6, 4, 9), // 10 microseconds to 0.66 seconds
		}),
		whatIf: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "what_if_duration_seconds",
			Help:    "Time to look at what a change of the policy or of a namespace's label would do to running workloads.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 2, 12), // 1 millisecond to 2 seconds
		}),
	}
	m.initialize()
	return m
}

// initialize creates every series that can come up for pods and workloads, so that a rate over the first one is right.
func (m *Metrics) initialize() {
	m.decisionsOf = newSeries(func(l decisionLabels) prometheus.Counter {
		return m.decisions.WithLabelValues(webhookLabel(l.webhook), verdictLabel(l.verdict), modeLabel(l.mode), string(l.action))
	}, decisionSeries())
	known := reasons()
	m.undecidedOf = newSeries(func(l whyLabels) prometheus.Counter {
		if !slices.Contains(known, fit.Reason(l.why)) {
			l.why = string(otherReason)
		}
		return m.undecidedBy.WithLabelValues(webhookLabel(l.webhook), l.why)
	}, whySeries(known))
	m.exemptedOf = newSeries(func(l whyLabels) prometheus.Counter {
		return m.exemptedBy.WithLabelValues(webhookLabel(l.webhook), l.why)
	}, whySeries(exemptions()))
	for _, setting := range []Setting{policySetting, namespaceSetting} {
		m.settings.WithLabelValues(string(setting), settingAdmitted)
		m.settings.WithLabelValues(string(setting), settingRefused)
	}
	for _, outcome := range []string{waitAnswered, waitTimedOut, waitRefused} {
		m.sizeWaits.WithLabelValues(outcome)
	}
}

func (m *Metrics) decided(webhook string, d fit.Decision) {
	m.decisionsOf.of(decisionLabels{webhook, d.Verdict, d.Mode, d.Action}).Inc()
	if d.Reason != "" && d.Reason != fit.NoImages && d.Reason != fit.NoReplicas {
		m.undecided(webhook, d.Reason)
	}
}

func (m *Metrics) undecided(webhook string, why fit.Reason) {
	m.undecidedOf.of(whyLabels{webhook, string(why)}).Inc()
}

func (m *Metrics) exempted(webhook string, e Exemption) {
	m.exemptedOf.of(whyLabels{webhook, string(e)}).Inc()
}

func (m *Metrics) set(s Setting, admitted bool) {
	answer := settingRefused
	if admitted {
		answer = settingAdmitted
	}
	m.settings.WithLabelValues(string(s), answer).Inc()
}

func (m *Metrics) waited(outcome string) { m.sizeWaits.WithLabelValues(outcome).Inc() }

// reasons are the label values of undecided_total. An exempt pod, one without images and a template without pods are no doubtful
// cases.
func reasons() []fit.Reason {
	all := slices.DeleteFunc(fit.Reasons(), func(r fit.Reason) bool {
		return r == fit.ExemptPod || r == fit.ModeOff || r == fit.NoImages || r == fit.NoReplicas
	})
	return append(all, Unreadable, UnknownVersion, Unexpected, UnknownKind, UnknownTemplate, Undecodable, TimedOut, Panicked, Inconsistent, Overloaded, otherReason)
}

func exemptions() []Exemption {
	return []Exemption{MirrorPod, NamespaceExempt, PriorityClassExempt, SwitchedOff, Unchanged, HarmlessSubresource, NoTemplate}
}

func exemptionOf(text string) Exemption {
	if e := Exemption(text); slices.Contains(exemptions(), e) {
		return e
	}
	return otherExemption
}

func webhookLabel(webhook string) string {
	if !slices.Contains([]string{podsLabel, workloadsLabel, bindingsLabel, policyLabel}, webhook) {
		return otherLabel
	}
	return webhook
}

func verdictLabel(v verdict.Verdict) string {
	if !slices.Contains(verdict.All(), v) {
		return string(verdict.Unknown)
	}
	return string(v)
}

func modeLabel(m policy.Mode) string {
	if !slices.Contains(policy.Modes(), m) {
		return unknownMode
	}
	return string(m)
}
