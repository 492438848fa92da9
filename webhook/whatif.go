// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// maxLook is how long is looked at what a change would do, whatever time the API server gives. Half of that time is always
// left for the answer.
const maxLook = time.Second

// Workload stands for all pods of one template. See the package that knows them for what its fields mean. It can be written as
// JSON.
type Workload struct {
	Kind, Namespace, Name string
	// Pods is how many there are, Nodes where they run.
	Pods  int
	Nodes map[string]bool
	// Pod is one of them. It is shared and must not be changed.
	Pod *corev1.Pod
}

// Cluster is what a change of the policy, or of a namespace's label, is held against.
type Cluster struct {
	// Policy returns the one in force. It must not do I/O.
	Policy func() *policy.Policy
	// Workloads returns what runs in a namespace, or in all for "". It must answer from memory.
	Workloads func(namespace string) []Workload
	// Freeze returns a function that decides by any policy on what is known now. See fit.Evaluator.
	Freeze func() func(fit.Request, *policy.Policy) fit.Decision
	// Now is the clock that a policy's dates are held against, the handler's if nil.
	Now func() time.Time
}

// rules are by what pods are judged: a policy, and what each namespace asks for.
type rules struct {
	policy *policy.Policy
	mode   func(namespace string) string
}

// speak reports whether anybody is told about pods of the namespace, or refused them.
func (r rules) speak(namespace string) bool {
	mode, _ := r.policy.ModeFor(r.mode(namespace))
	return mode.AtLeast(policy.Warn)
}

// everSpeak reports whether anybody could be told about pods of any namespace, or refused them.
func (r rules) everSpeak() bool {
	mode, _ := r.policy.ModeFor(string(policy.Enforce))
	return mode.AtLeast(policy.Warn)
}

// whatIf is one look at what a change would do.
type whatIf struct {
	before, after rules
	decide        func(fit.Request, *policy.Policy) fit.Decision

	mu    sync.Mutex // guards found
	found fit.WhatIf
}

// count adds one workload that was looked at, or that was not for this reason.
func (w *whatIf) count(why fit.Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch why {
	case fit.NotSynced:
		w.found.Ended = fit.NotRead
	case fit.NoCandidate:
		w.found.NoOtherNode++
	default:
		w.found.Looked++
	}
}

// ended notes why the look does not go on, unless another reason is known.
func (w *whatIf) ended(why fit.Ending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found.Ended == "" {
		w.found.Ended = why
	}
}

// look says what would become of the workloads of a namespace, or of all for "", by other rules. It stops when until has come.
//
// It takes none of the slots that pods need, but at most half of the processors, and only one look is under way at a time.
func (h *policyReviewer) look(ctx context.Context, namespace string, before, after rules, until time.Time) fit.WhatIf {
	start := h.Clock.Now()
	defer func() { h.Metrics.whatIf.Observe(h.Clock.Since(start).Seconds()) }()
	if latest := start.Add(maxLook); latest.Before(until) {
		until = latest
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if !after.everSpeak() {
		return fit.WhatIf{}
	}
	// Even to list what runs takes a while where that is much.
	select {
	case h.looking <- struct{}{}:
		defer func() { <-h.looking }()
	case <-ctx.Done():
		return fit.WhatIf{Namespace: namespace, Ended: fit.OtherLook}
	}
	workloads := slices.DeleteFunc(h.cluster.Workloads(namespace), func(w Workload) bool {
		_, exempt := after.policy.Exempt(w.Namespace, w.Pod.Spec.PriorityClassName)
		return exempt || neverJudged(w.Namespace)
	})
	if !slices.ContainsFunc(workloads, func(w Workload) bool { return after.speak(w.Namespace) }) {
		return fit.WhatIf{}
	}
	inOrder(workloads)
	w := whatIf{before: before, after: after, decide: h.cluster.Freeze()}
	w.found = fit.WhatIf{Namespace: namespace, Total: len(workloads)}
	changes := make([]*fit.Change, len(workloads))
	late := func() bool { return !h.Clock.Now().Before(until) || ctx.Err() != nil }
	h.inParallel(len(workloads), &w, late, func(i int) { changes[i] = w.of(&workloads[i]) })
	for _, change := range changes {
		if change != nil {
			w.found.Stricter = append(w.found.Stricter, *change)
		}
	}
	return w.found
}

// inOrder sorts by what is worth most: a template of each workload before the second of any, and those with many pods first.
func inOrder(workloads []Workload) {
	slices.SortStableFunc(workloads, func(a, b Workload) int { return cmp.Compare(b.Pods, a.Pods) })
	type top struct{ kind, namespace, name string }
	seen := make(map[top]int, len(workloads))
	rank := make(map[*corev1.Pod]int, len(workloads))
	for i := range workloads {
		w := &workloads[i]
		rank[w.Pod] = seen[top{w.Kind, w.Namespace, w.Name}]
		seen[top{w.Kind, w.Namespace, w.Name}]++
	}
	slices.SortStableFunc(workloads, func(a, b Workload) int { return cmp.Compare(rank[a.Pod], rank[b.Pod]) })
}

// of returns what would change for a workload, nil for nothing that gets stricter or that is known, and counts it.
func (w *whatIf) of(workload *Workload) *fit.Change {
	change, why := w.changeOf(workload)
	w.count(why)
	return change
}

// changeOf also returns why nothing is known, if that is so.
func (w *whatIf) changeOf(workload *Workload) (*fit.Change, fit.Reason) {
	if !w.after.speak(workload.Namespace) {
		return nil, ""
	}
	r := requestFor(workload)
	r.NamespaceMode = w.after.mode(workload.Namespace)
	after := w.decide(r, w.after.policy)
	if after.Reason == fit.NotSynced || after.Reason == fit.NoCandidate {
		return nil, after.Reason
	}
	action := heldToMode(after, true)
	if action == fit.Allow {
		return nil, ""
	}
	r.NamespaceMode = w.before.mode(workload.Namespace)
	if before := w.decide(r, w.before.policy); !action.StricterThan(heldToMode(before, true)) {
		return nil, ""
	}
	return &fit.Change{
		Kind: workload.Kind, Namespace: workload.Namespace, Name: workload.Name, Pods: workload.Pods,
		Action: action, Message: sentence(after),
	}, ""
}

// requestFor is about a pod of the workload that is created again and comes to another node. Who debugs a pod changes nothing
// of its template.
func requestFor(workload *Workload) fit.Request {
	pod := *workload.Pod
	pod.UID, pod.Spec.NodeName, pod.Spec.EphemeralContainers = "", "", nil
	r := fit.RequestOf(&pod)
	r.NotOn = workload.Nodes
	return r
}

// inParallel calls f with 0 to n-1, in about that order, until late says so. A panic ends one of its goroutines and is counted.
func (h *policyReviewer) inParallel(n int, w *whatIf, late func() bool, f func(i int)) {
	var next atomic.Int64
	var working sync.WaitGroup
	for range min(n, max(1, runtime.GOMAXPROCS(0)/2)) {
		working.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					h.panicked(p)
					w.ended(fit.BrokeDown)
				}
			}()
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				if late() {
					w.ended(fit.TimeUp)
					return
				}
				f(i)
			}
		})
	}
	working.Wait()
}
