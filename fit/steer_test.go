// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// choice is a pod with the image "app" of 100 bytes that the scheduler wants to bind to node a.
type choice struct {
	situation

	sendBack bool
	other    string
}

func (c *choice) steer(t *testing.T) Steering {
	t.Helper()
	l := world(c.nodes...)
	if c.registry == nil {
		c.registry = map[string]int64{"app": 100}
	}
	registry(t, l, c.registry)
	if c.ledger != nil {
		c.ledger(l)
	}
	pod := podOf("app")
	if c.pod != nil {
		c.pod(pod)
	}
	r := RequestOf(pod)
	if c.request != nil {
		c.request(&r)
	}
	p := enforcing()
	if c.policy != nil {
		c.policy(p)
	}
	return Steer(l.Snapshot(), r, Choice{Node: "a"}, p, epoch)
}

func tolerates(toleration corev1.Toleration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{toleration} }
}

func TestSteer(t *testing.T) {
	two := []node{full("a"), roomy("b")}
	with := func(change func(*node)) []node {
		b := roomy("b")
		change(&b)
		return []node{full("a"), b}
	}
	back := func(s situation) choice {
		s.verdict = verdict.EvictsPods
		return choice{situation: s, sendBack: true, other: "b"}
	}
	stays := func(s situation, v verdict.Verdict, why Reason) choice {
		s.verdict, s.reason = v, why
		return choice{situation: s}
	}
	through := func(s situation, why Reason) choice { return stays(s, verdict.EvictsPods, why) }
	unseen := func(s situation, why Reason) choice { return stays(s, verdict.Unknown, why) }
	for what, c := range map[string]choice{
		"the node is too full and another one would do": back(situation{nodes: two}),
		"the node has room":                             stays(situation{nodes: []node{roomy("a"), roomy("b")}}, verdict.Fits, ""),
		"the images are there already": stays(situation{nodes: []node{
			{name: "a", capacity: 1000, available: 200, images: map[string]int64{"app": 100}}, roomy("b"),
		}}, verdict.Fits, ""),
		"milder than denyAt": stays(situation{nodes: two, policy: at(verdict.EvictsPods, verdict.FillsDisk)}, verdict.EvictsPods, ""),
		"the margin counts, for it costs no pod anything": back(situation{
			nodes: []node{{name: "a", capacity: 1000, available: 300}, roomy("b")}, policy: func(p *policy.Policy) { p.SafetyMargin.Percent = 6 },
		}),

		"there is no other node":                  through(situation{nodes: []node{full("a")}}, NoOtherNode),
		"the other one is as full":                through(situation{nodes: []node{full("a"), full("b")}}, NoOtherNode),
		"the other one would be warned about":     through(situation{nodes: []node{full("a"), {name: "b", capacity: 1000, available: 259}}, policy: at(verdict.TriggersGC, verdict.EvictsPods)}, NoOtherNode),
		"the third one would do":                  {situation{nodes: []node{full("a"), full("b"), roomy("c")}, verdict: verdict.EvictsPods}, true, "c"},
		"the other one is cordoned":               through(situation{nodes: with(func(n *node) { n.cordoned = true })}, NoOtherNode),
		"the other one is not ready":              through(situation{nodes: with(func(n *node) { n.notReady = true })}, NoOtherNode),
		"the other one is not measured":           through(situation{nodes: with(func(n *node) { n.unmeasured = true })}, NoOtherNode),
		"the other one's sample is old":           through(situation{nodes: with(func(n *node) { n.age = time.Hour })}, NoOtherNode),
		"the other one has a taint":               through(situation{nodes: with(func(n *node) { n.taints = []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoSchedule}} })}, NoOtherNode),
		"the other one is to be avoided, too":     through(situation{nodes: with(func(n *node) { n.taints = []corev1.Taint{placement.SoftTaint(epoch)} })}, NoOtherNode),
		"the chosen one was to be avoided before": back(situation{nodes: []node{{name: "a", capacity: 1000, available: 200, taints: []corev1.Taint{placement.SoftTaint(epoch)}}, roomy("b")}}),
		"the other one is under disk pressure": through(situation{nodes: two, ledger: func(l *ledger.Ledger) {
			row := roomy("b").row()
			row.DiskPressure = true
			l.SetNode(row)
		}}, NoOtherNode),
		"the other one has no CPU left": through(situation{nodes: two, ledger: func(l *ledger.Ledger) {
			l.SetPod(ledger.Pod{UID: "hog", Namespace: "x", Name: "hog", NodeName: "b", Requests: placement.Resources{MilliCPU: 8000}}, epoch)
		}, pod: func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		}}, NoOtherNode),
		"the pod can't go to the other one": through(situation{nodes: two, pod: selects(corev1.LabelHostname, "a")}, NoOtherNode),
		"the pod is a DaemonSet's": through(situation{nodes: two, pod: func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
					Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"a"},
				}}}},
			}}}
		}}, NoOtherNode),
		"the other one needs nothing, though nobody measures it": {situation{nodes: []node{full("a"), {
			name: "b", capacity: 1000, unmeasured: true, images: map[string]int64{"app": 100},
		}}, verdict: verdict.EvictsPods}, true, "b"},

		"the chosen one is not measured":                                           unseen(situation{nodes: []node{{name: "a", capacity: 1000, unmeasured: true}, roomy("b")}}, NotMeasured),
		"the chosen one's sample is old":                                           unseen(situation{nodes: []node{{name: "a", capacity: 1000, available: 200, age: time.Hour}, roomy("b")}}, StaleSample),
		"nobody knows the image's size":                                            unseen(situation{nodes: two, registry: map[string]int64{}}, UnknownSize),
		"the chosen one is not known":                                              unseen(situation{nodes: []node{roomy("b")}}, UnknownNode),
		"what is known is too much already":                                        back(situation{nodes: two, pod: func(p *corev1.Pod) { *p = *podOf("app", "unheard-of") }, registry: map[string]int64{"app": 100}, policy: func(p *policy.Policy) { p.UnknownImage = policy.UnknownImage{LikelyBytes: 1, HighBytes: 2} }}),
		"one of two sizes is not known, and of the other node nothing can be said": through(situation{nodes: two, pod: func(p *corev1.Pod) { *p = *podOf("app", "unheard-of") }}, NoOtherNode),

		"a toleration for the taint":          unseen(situation{nodes: two, pod: tolerates(corev1.Toleration{Key: placement.ImageStorageTaint, Operator: corev1.TolerationOpExists})}, Tolerates),
		"one with a value":                    unseen(situation{nodes: two, pod: tolerates(corev1.Toleration{Key: placement.ImageStorageTaint, Value: "no"})}, Tolerates),
		"one for every taint":                 unseen(situation{nodes: two, pod: tolerates(corev1.Toleration{Operator: corev1.TolerationOpExists})}, Tolerates),
		"one for another effect":              back(situation{nodes: two, pod: tolerates(corev1.Toleration{Key: placement.ImageStorageTaint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})}),
		"one for another taint":               back(situation{nodes: two, pod: tolerates(corev1.Toleration{Key: "own", Operator: corev1.TolerationOpExists})}),
		"steer Off":                           unseen(situation{nodes: two, policy: func(p *policy.Policy) { p.Steer = policy.SteerOff }}, ModeOff),
		"steer Auto, mode Warn":               unseen(situation{nodes: two, policy: mode(policy.Warn)}, ModeOff),
		"steer Auto, the namespace enforces":  back(situation{nodes: two, policy: mode(policy.Warn), request: func(r *Request) { r.NamespaceMode = "Enforce" }}),
		"steer On, mode Audit":                back(situation{nodes: two, policy: func(p *policy.Policy) { p.Steer, p.Mode = policy.SteerOn, policy.Audit }}),
		"steer On, mode Off":                  unseen(situation{nodes: two, policy: func(p *policy.Policy) { p.Steer, p.Mode = policy.SteerOn, policy.Off }}, ModeOff),
		"a namespace that the policy exempts": unseen(situation{nodes: two, request: func(r *Request) { r.Namespace = "kube-system" }}, ExemptPod),
		"a priority class that it exempts":    unseen(situation{nodes: two, request: func(r *Request) { r.PriorityClass = "system-node-critical" }}, ExemptPod),
		"the policy excepts the pod":          through(situation{nodes: two, policy: excepting("e", allowance(100))}, Excepted),
		"the pod exceeds its allowance":       back(situation{nodes: two, policy: excepting("e", allowance(99))}),
		"no images":                           unseen(situation{nodes: two, request: func(r *Request) { r.Images = nil }}, NoImages),
	} {
		t.Run(what, func(t *testing.T) {
			d := c.steer(t)
			type answer struct {
				SendBack bool
				Other    string
				Verdict  verdict.Verdict
				Reason   Reason
			}
			if diff := cmp.Diff(answer{c.sendBack, c.other, c.verdict, c.reason}, answer{d.SendBack, d.Other, d.Verdict, d.Reason}); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", d.Message, diff)
			}
			if d.SendBack != (d.Message != "") || d.SendBack != (d.CauseCode != "") {
				t.Errorf("sent back %v, with the cause code %q and the sentence %q", d.SendBack, d.CauseCode, d.Message)
			}
			if d.Reason != "" && !slices.Contains(SteeringReasons(), d.Reason) {
				t.Errorf("reason %s is none of SteeringReasons", d.Reason)
			}
		})
	}
}
