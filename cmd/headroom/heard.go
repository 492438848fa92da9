// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook"
)

// recorded is what reviews are judged by in a process that records them.
type recorded struct {
	snapshot func() *ledger.Snapshot
	policy   func() controller.PolicyInForce
	mode     func(namespace string) string
	newest   func(of corev1.ObjectReference) *corev1.Pod
	bindings webhook.Bindings
	cluster  webhook.Cluster
	clock    func() time.Time
}

// heard is what one review was told: the last answer to each of its questions. A review that waited for a size asks twice.
type heard struct {
	recorded

	mu sync.Mutex
	m  moment // guarded by mu
}

func (r recorded) listen() *heard {
	in := r.policy()
	return &heard{recorded: r, m: moment{
		policy: in.Policy, policyText: in.Text, now: r.clock(), modes: map[string]string{},
	}}
}

// moment is what has been heard so far. A review that is given up may go on asking.
func (h *heard) moment() moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.m
	m.modes = maps.Clone(m.modes)
	return m
}

func (h *heard) sources() *webhook.Sources {
	bindings, cluster := h.bindings, h.cluster
	bindings.Steer = func(b fit.Binding) fit.Steering {
		h.note(func(m *moment) { m.before = slices.Clone(b.Before) })
		return h.now().Steer(b)
	}
	bindings.Unsteered = func(b fit.Binding) (fit.Steering, bool) { return h.now().Unsteered(b) }
	bindings.SendBack = func(b webhook.SendBack) fit.Reason {
		why := h.bindings.SendBack(b)
		h.note(func(m *moment) { m.letThrough = why })
		return why
	}
	cluster.Policy = func() *policy.Policy { return h.now().Policy() }
	cluster.Freeze = func() func(fit.Request, *policy.Policy) fit.Decision { return h.now().Freeze() }
	cluster.Workloads = func(namespace string) []webhook.Workload {
		workloads := h.cluster.Workloads(namespace)
		h.note(func(m *moment) { m.workloads = slices.Clone(workloads) })
		return workloads
	}
	return &webhook.Sources{
		Evaluator: h, NamespaceMode: h.namespaceMode, NewestPod: h.newestPod, TreatsAlike: h.treatsAlike,
		Bindings: bindings, Cluster: cluster,
	}
}

// Evaluate implements webhook.Evaluator.
func (h *heard) Evaluate(r fit.Request) fit.Decision { return h.now().Evaluate(r) }

func (h *heard) namespaceMode(namespace string) string {
	mode := h.mode(namespace)
	h.note(func(m *moment) { m.modes[namespace] = mode })
	return mode
}

func (h *heard) newestPod(of corev1.ObjectReference) *corev1.Pod {
	pod := h.newest(of)
	h.note(func(m *moment) { m.newest = pod })
	return pod
}

func (h *heard) treatsAlike(namespace string, these, those map[string]string) bool {
	return h.policy().Policy.TreatsAlike(namespace, these, those, h.clock())
}

func (h *heard) note(write func(m *moment)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	write(&h.m)
}

// now decides by what is known now, which is noted.
func (h *heard) now() fit.Evaluator {
	in := h.policy()
	at := moment{snapshot: h.snapshot(), policy: in.Policy, policyText: in.Text, now: h.clock()}
	h.note(func(m *moment) {
		m.snapshot, m.policy, m.policyText, m.now = at.snapshot, at.policy, at.policyText, at.now
	})
	return at.evaluator()
}
