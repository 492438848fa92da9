// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// running has an image by which byImage judges its pods.
func running(kind, namespace, name, image string, pods int, nodes ...string) Workload {
	w := Workload{Kind: kind, Namespace: namespace, Name: name, Pods: pods, Nodes: map[string]bool{}}
	for _, node := range nodes {
		w.Nodes[node] = true
	}
	w.Pod = aPod(func(p *corev1.Pod) {
		p.Namespace, p.Name, p.Labels = namespace, name+"-0", map[string]string{"app": name}
		p.Spec.Containers[0].Image = image
		if len(nodes) > 0 {
			p.Spec.NodeName = nodes[0]
		}
	})
	return w
}

// byImage decides as the real thing would about images called big:1: the mode says what becomes of them.
func byImage(r fit.Request, p *policy.Policy) fit.Decision {
	mode, _ := p.ModeFor(r.NamespaceMode)
	d := fit.Decision{Action: fit.Allow, Verdict: verdict.Fits, Mode: mode}
	if len(r.Images) == 0 || r.Images[0].Ref.Familiar() != "big:1" {
		return d
	}
	d.Verdict, d.Message = verdict.EvictsPods, "image storage: needs 7Gi"
	switch mode {
	case policy.Enforce:
		d.Action = fit.Deny
	case policy.Warn:
		d.Action = fit.Warn
	case policy.Off, policy.Audit:
	}
	return d
}

// clusterOf runs these workloads under a policy.
func clusterOf(p *policy.Policy, decide func(fit.Request, *policy.Policy) fit.Decision, workloads ...Workload) Cluster {
	return Cluster{
		Policy: func() *policy.Policy { return p },
		Freeze: func() func(fit.Request, *policy.Policy) fit.Decision { return decide },
		Workloads: func(namespace string) []Workload {
			return slices.DeleteFunc(slices.Clone(workloads), func(w Workload) bool { return namespace != "" && w.Namespace != namespace })
		},
	}
}

func TestWhatIf(t *testing.T) {
	mode := func(value string) string { return policy.ModeLabel + "=" + value }
	all := []Workload{
		running("Deployment", "team-a", "web", "big:1", 12, "n1", "n2"), running("Deployment", "team-a", "small", "small:1", 3),
		running("Job", "team-b", "train", "big:1", 2), running("Deployment", "kube-public", "exempt", "big:1", 1),
		running("Deployment", "kube-system", "dns", "big:1", 2), running("Deployment", "headroom-system", "headroom", "big:1", 2),
	}
	critical := running("Deployment", "team-b", "critical", "big:1", 5)
	critical.Pod.Spec.PriorityClassName = "system-cluster-critical"
	all = append(all, critical)
	const (
		web   = "image storage: deployment team-a/web (12 pods) would be "
		needs = ": needs 7Gi"
		inA   = "image storage: looked at 2 of 2 workloads in namespace team-a as if created again on another node"
		every = "image storage: looked at 3 of 3 workloads in the cluster as if created again on another node"
		none  = ": none of them would newly be refused or warned about"
	)
	defaults := []string{
		"image storage: without the ConfigMap headroom-policy the defaults are in force, mode Warn",
		"image storage: deployment team-a/web (12 pods) and 1 other workload (2 pods) would be warned about" + needs, every,
	}
	for name, test := range map[string]struct {
		inForce  *policy.Policy
		body     []byte
		labels   map[string]string // of namespaces
		want     []string
		stricter string
	}{
		"a namespace that gets stricter": {
			body: setting(t, namespaceOf("team-a"), namespaceOf("team-a", mode("Enforce"))),
			want: []string{web + "refused" + needs, inA}, stricter: "1",
		},
		"from nothing to warnings": {
			inForce: withMode(policy.Audit), body: setting(t, namespaceOf("team-a"), namespaceOf("team-a", mode("Warn"))),
			want: []string{web + "warned about" + needs, inA}, stricter: "1",
		},
		"as strict as the policy is":      {body: setting(t, namespaceOf("team-a"), namespaceOf("team-a", mode("Warn")))},
		"milder than before":              {body: setting(t, namespaceOf("team-a", mode("Enforce")), namespaceOf("team-a"))},
		"a new namespace":                 {body: setting(t, nil, namespaceOf("team-a", mode("Enforce")))},
		"one without pods":                {body: setting(t, namespaceOf("empty"), namespaceOf("empty", mode("Enforce")))},
		"one that is exempt":              {body: setting(t, namespaceOf("kube-public"), namespaceOf("kube-public", mode("Enforce"))), want: []string{"image storage: label headroom.dev/mode does nothing: pods of namespace kube-public are never judged"}},
		"one where nothing is too big":    {body: setting(t, namespaceOf("team-c"), namespaceOf("team-c", mode("Enforce"))), want: []string{"image storage: looked at 1 of 1 workloads in namespace team-c as if created again on another node" + none}, stricter: "0"},
		"a policy that gets stricter":     {body: setting(t, nil, policyMap(policyHead+"mode: Enforce\n")), want: []string{"image storage: deployment team-a/web (12 pods) and 1 other workload (2 pods) would be refused" + needs, every}, stricter: "2"},
		"where a namespace was so before": {body: setting(t, nil, policyMap(policyHead+"mode: Enforce\n")), labels: map[string]string{"team-b": "Enforce"}, want: []string{web + "refused" + needs, every}, stricter: "1"},
		"where a namespace stays as it is": {
			body: setting(t, nil, policyMap(policyHead+"mode: Enforce\nnamespaceOverrides: Any\n")), labels: map[string]string{"team-b": "Audit"},
			want: []string{web + "refused" + needs, every}, stricter: "1",
		},
		"another policy that changes nothing for anybody": {body: setting(t, nil, policyMap(policyHead+"maxStaleness: 80s\n")), want: []string{every + none}, stricter: "0"},
		"the same policy":       {body: setting(t, nil, policyMap(policyHead+"mode: Warn\n"))},
		"one that tells nobody": {body: setting(t, nil, policyMap(policyHead+"mode: Audit\n"))},
		"the policy deleted":    {inForce: withMode(policy.Audit), body: setting(t, policyMap(""), nil), stricter: "2", want: defaults},
		"the policy deleted with all that is there": {
			inForce: withMode(policy.Audit), body: setting(t, policyMap(""), nil, func(r *admissionv1.AdmissionRequest) { r.Name = "" }), stricter: "2", want: defaults,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.inForce == nil {
				test.inForce = policy.Default()
			}
			workloads := slices.Clone(all)
			if name == "one where nothing is too big" {
				workloads = append(workloads, running("Deployment", "team-c", "small", "small:1", 1))
			}
			h := NewPolicy(HandlerOptions{NamespaceMode: func(n string) string { return test.labels[n] }}, clusterOf(test.inForce, byImage, workloads...))
			r := postSetting(t, h, test.body, "2s")
			if diff := cmp.Diff(test.want, r.Warnings); diff != "" || !r.Allowed {
				t.Errorf("allowed: %v, warnings (-want +got):\n%s", r.Allowed, diff)
			}
			if got := r.AuditAnnotations["stricter"]; got != test.stricter {
				t.Errorf("annotations %v, want stricter %q", r.AuditAnnotations, test.stricter)
			}
		})
	}
}

// TestAPodThatIsCreatedAgain: the request is about a pod of the template that comes to another node.
func TestAPodThatIsCreatedAgain(t *testing.T) {
	var mu sync.Mutex
	var asked []fit.Request
	decide := func(r fit.Request, p *policy.Policy) fit.Decision {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r)
		return byImage(r, p)
	}
	w := running("Deployment", "team-a", "web", "big:1", 2, "n1", "n2")
	w.Pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Image: "tools:1"}}}
	h := NewPolicy(HandlerOptions{}, clusterOf(policy.Default(), decide, w))
	postSetting(t, h, setting(t, namespaceOf("team-a"), namespaceOf("team-a", policy.ModeLabel+"=Enforce")), "2s")
	if len(asked) != 2 || asked[0].NamespaceMode != "Enforce" || asked[1].NamespaceMode != "" {
		t.Fatalf("asked %+v, want by the new label and by the old one", asked)
	}
	r := asked[0]
	if r.UID != "" || r.Placement.NodeName() != "" || !r.NotOn["n1"] || !r.NotOn["n2"] || r.Labels["app"] != "web" || r.Workload != nil || len(r.Images) != 1 {
		t.Errorf("request is %+v, want one of a new pod that is on neither node", r)
	}
	if w.Pod.Spec.NodeName != "n1" || w.Pod.UID == "" || len(w.Pod.Spec.EphemeralContainers) != 1 {
		t.Error("the pod that others share has changed")
	}
}

func TestWhatIsLookedAtFirst(t *testing.T) {
	second := running("Deployment", "team-a", "web", "big:1", 9)
	workloads := []Workload{
		running("Deployment", "team-a", "small", "big:1", 1), second, running("Deployment", "team-a", "web", "big:1", 10), running("Job", "team-b", "web", "big:1", 3),
	}
	inOrder(workloads)
	var got []string
	for _, w := range workloads {
		got = append(got, fmt.Sprintf("%s %s/%s %d", w.Kind, w.Namespace, w.Name, w.Pods))
	}
	want := []string{"Deployment team-a/web 10", "Job team-b/web 3", "Deployment team-a/small 1", "Deployment team-a/web 9"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
