// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

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

// What is known of a pod comes from the ledger: the binding only names it.
func TestSteerByName(t *testing.T) {
	l := world(full("a"), roomy("b"))
	registry(t, l, map[string]int64{"app": 100})
	waiting := ledger.Pod{
		UID: "1", Namespace: "team", Name: "web", Placement: placement.Of(nil),
		Images: []ledger.PodImage{{Ref: ref(t, "app"), PullPolicy: corev1.PullIfNotPresent}},
	}
	critical := waiting
	critical.UID, critical.Name, critical.PriorityClass = "2", "critical", "system-node-critical"
	deleting := waiting
	deleting.UID, deleting.Name, deleting.Deleting = "3", "deleting", true
	for _, pod := range []ledger.Pod{waiting, critical, deleting} {
		l.SetPod(pod, epoch)
	}
	bind(l, "4", "b", epoch)
	e := Evaluator{Snapshot: l.Snapshot, Policy: enforcing, Clock: func() time.Time { return epoch }}
	for what, c := range map[string]struct {
		binding Binding
		want    Reason // "" for sent back
	}{
		"by UID":                      {Binding{Namespace: "team", Name: "web", UID: "1", Choice: Choice{Node: "a"}}, ""},
		"by name alone":               {Binding{Namespace: "team", Name: "web", Choice: Choice{Node: "a"}}, ""},
		"another pod of that name":    {Binding{Namespace: "team", Name: "web", UID: "9", Choice: Choice{Node: "a"}}, UnknownPod},
		"another name of that UID":    {Binding{Namespace: "team", Name: "other", UID: "1", Choice: Choice{Node: "a"}}, UnknownPod},
		"another namespace":           {Binding{Namespace: "other", Name: "web", Choice: Choice{Node: "a"}}, UnknownPod},
		"one that is being deleted":   {Binding{Namespace: "team", Name: "deleting", UID: "3", Choice: Choice{Node: "a"}}, UnknownPod},
		"one that is bound":           {Binding{Namespace: "team", Name: "4", UID: "4", Choice: Choice{Node: "a"}}, UnknownPod},
		"an exempt priority class":    {Binding{Namespace: "team", Name: "critical", UID: "2", Choice: Choice{Node: "a"}}, ExemptPod},
		"a namespace that opts out":   {Binding{Namespace: "team", Name: "web", UID: "1", Choice: Choice{Node: "a"}, NamespaceMode: "Warn"}, ""}, // Tighten does not let it.
		"a node that nobody knows of": {Binding{Namespace: "team", Name: "web", UID: "1", Choice: Choice{Node: "z"}}, UnknownNode},
		"a namespace that is exempt, of a pod that is not known": {Binding{Namespace: "kube-system", Name: "x", Choice: Choice{Node: "a"}}, ExemptPod},
	} {
		t.Run(what, func(t *testing.T) {
			if d := e.Steer(c.binding); d.Reason != c.want || d.SendBack != (c.want == "") {
				t.Errorf("sent back %v, reason %q, want %q", d.SendBack, d.Reason, c.want)
			}
		})
	}
	if d := (Evaluator{}).Steer(Binding{Choice: Choice{Node: "a"}}); d.SendBack || d.Reason != ModeOff {
		t.Errorf("without anything: sent back %v, %s", d.SendBack, d.Reason)
	}
	e.Snapshot = ledger.New().Snapshot
	if d := e.Steer(Binding{Namespace: "team", Name: "web", Choice: Choice{Node: "a"}}); d.SendBack || d.Reason != NotSynced {
		t.Errorf("not synced: sent back %v, %s", d.SendBack, d.Reason)
	}
}

// What was let through a moment ago is on its way, though the ledger does not have it there yet.
func TestSteerBehindOthers(t *testing.T) {
	l := world(node{name: "a", capacity: 1000, available: 340}, roomy("b"), roomy("c"), roomy("d"))
	registry(t, l, map[string]int64{"app": 100, "x": 100, "y": 40})
	waiting := func(uid types.UID, image string) ledger.Pod {
		return ledger.Pod{
			UID: uid, Namespace: "team", Name: string(uid), Placement: placement.Of(nil),
			Images: []ledger.PodImage{{Ref: ref(t, image), PullPolicy: corev1.PullIfNotPresent}},
		}
	}
	for _, pod := range []ledger.Pod{waiting("x1", "x"), waiting("x2", "x"), waiting("y1", "y"), waiting("twin", "app")} {
		l.SetPod(pod, epoch)
	}
	room := func(free string) string {
		return "image storage: needs 100; the chosen node has " + free + " before pods are evicted; another node would do"
	}
	for what, c := range map[string]struct {
		before []types.UID
		want   string // the sentence, empty for let through
	}{
		"nobody":                          {nil, ""},
		"one that is small":               {[]types.UID{"y1"}, ""},
		"one that takes the room":         {[]types.UID{"x1"}, room("~90")},
		"two of one image take it once":   {[]types.UID{"x1", "x2"}, room("~90")},
		"two of two images":               {[]types.UID{"x1", "y1"}, room("~50")},
		"one of the same image":           {[]types.UID{"twin"}, ""},
		"one that nobody knows, and self": {[]types.UID{"gone", "judged"}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			d := Steer(l.Snapshot(), RequestOf(podOf("app")), Choice{Node: "a", Before: c.before}, enforcing(), epoch)
			if d.Message != c.want || d.SendBack != (c.want != "") {
				t.Errorf("sent back %v: %q, want %q", d.SendBack, d.Message, c.want)
			}
		})
	}
	// Once the ledger has it there, it counts once.
	bound := waiting("y1", "y")
	bound.NodeName = "a"
	l.SetPod(bound, epoch)
	if d := Steer(l.Snapshot(), RequestOf(podOf("app")), Choice{Node: "a", Before: []types.UID{"y1"}}, enforcing(), epoch); d.SendBack {
		t.Errorf("counted twice: %s", d.Message)
	}
}

// Those whose node is not chosen yet take nothing: they are looked at when it is. But for what is sure to come to one node.
func TestSteerOneAtATime(t *testing.T) {
	l := world(full("a"), node{name: "b", capacity: 1000, available: 450}, full("c"))
	registry(t, l, map[string]int64{"app": 100, "tied": 250})
	for i := range 20 {
		image := "w" + strconv.Itoa(i)
		registry(t, l, map[string]int64{image: 100})
		wait(t, l, image)
	}
	steer := func(node string) Steering {
		return Steer(l.Snapshot(), RequestOf(podOf("app")), Choice{Node: node}, enforcing(), epoch)
	}
	if d := steer("a"); d.Other != "b" {
		t.Errorf("from a full node sent back %v: %s", d.SendBack, d.Reason)
	}
	if d := steer("b"); d.SendBack || d.Reason != "" {
		t.Errorf("from a node with room sent back %v: %s", d.SendBack, d.Reason)
	}
	wait(t, l, "tied", func(p *ledger.Pod) {
		p.Placement = placement.Of(&corev1.PodSpec{NodeSelector: map[string]string{corev1.LabelHostname: "b"}})
	})
	if d := steer("a"); d.Reason != NoOtherNode {
		t.Errorf("where another pod is sure to take the room sent back %v: %s", d.SendBack, d.Reason)
	}
}

// pinned is the request of a pod that can go to one node only.
func pinned(r Request, name string) Request {
	r.Placement = placement.Of(&corev1.PodSpec{NodeSelector: map[string]string{corev1.LabelHostname: name}})
	return r
}

// TestSteeringLaws holds Steer against Evaluate of the same pod on one node at a time.
func TestSteeringLaws(t *testing.T) {
	sentBack, reasons := 0, map[Reason]int{}
	for seed := range uint64(worlds / 2) {
		c := chanceOf(seed)
		nodes := c.nodes()
		if len(nodes) == 0 {
			continue
		}
		l, p := c.ledger(nodes), c.policy()
		p.Steer = policy.SteerOn
		r, _ := c.request()
		for pod := range l.Snapshot().UnboundPods() {
			l.DeletePod(pod.UID, epoch) // Evaluate looks at them, too.
		}
		target, s := pick(c, nodes...).name, l.Snapshot()
		d := Steer(s, r, Choice{Node: target}, p, epoch)
		reasons[d.Reason]++
		if again := Steer(s, r, Choice{Node: target}, p, epoch); !reflect.DeepEqual(d, again) {
			t.Fatalf("seed %d: decided differently the second time:\n%+v\n%+v", seed, d, again)
		}
		if !d.SendBack {
			if d.Reason == NoOtherNode {
				checkNoOther(t, seed, s, &r, target, p)
			}
			continue
		}
		sentBack++
		there := Evaluate(s, pinned(r, target), p, epoch)
		if !there.Verdict.AtLeast(p.DenyAt) && there.Possible > 0 {
			t.Fatalf("seed %d: sent back from %s where the pod alone %s: %s", seed, target, there.Verdict, d.Message)
		}
		if d.Other == target || !wouldDo(s, &r, d.Other, p) {
			t.Fatalf("seed %d: %s would not do in place of %s: %s", seed, d.Other, target, d.Message)
		}
		checkMessage(t, &Decision{Message: d.Message}, p, &r)
		checkMonotony(t, seed, l, &r, target, p)
	}
	if sentBack < worlds/100 || reasons[NoOtherNode] < worlds/100 {
		t.Errorf("%d sent back, let through %v", sentBack, reasons)
	}
	t.Logf("%d sent back, let through %v", sentBack, reasons)
}

// wouldDo reports whether the pod alone could go to a node, now and without a warning.
func wouldDo(s *ledger.Snapshot, r *Request, name string, p *policy.Policy) bool {
	row, _ := s.Node(name)
	if !r.Placement.Possible(&row.Node.Node, func(key string) bool { return slices.Contains(p.StartupTaints, key) }) {
		return false
	}
	there := Evaluate(s, pinned(*r, name), p, epoch)
	// A warning is what more than half of the nodes are for: the one.
	return there.Likely == 1 && there.Overloaded == 0 && there.Verdict != verdict.Unknown
}

func checkNoOther(t *testing.T, seed uint64, s *ledger.Snapshot, r *Request, target string, p *policy.Policy) {
	t.Helper()
	for row := range s.Nodes() {
		if row.Name != target && wouldDo(s, r, row.Name, p) && r.Placement.Likely(&row.Node.Node, row.Free()) {
			t.Fatalf("seed %d: %s would do in place of %s, and was not found", seed, row.Name, target)
		}
	}
}

// checkMonotony: a binding that is sent back is let through once there is nothing better, the pod tolerates the taint, or
// what is known is old.
func checkMonotony(t *testing.T, seed uint64, l *ledger.Ledger, r *Request, target string, p *policy.Policy) {
	t.Helper()
	through := func(what string, d Steering) {
		t.Helper()
		if d.SendBack {
			t.Fatalf("seed %d: sent back from %s although %s: %s", seed, target, what, d.Message)
		}
	}
	tied, calm, off := pinned(*r, target), *r, *p
	through("the pod can go nowhere else", Steer(l.Snapshot(), tied, Choice{Node: target}, p, epoch))
	calm.Placement = placement.Of(&corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}})
	through("it tolerates the taint", Steer(l.Snapshot(), calm, Choice{Node: target}, p, epoch))
	off.Steer = policy.SteerOff
	through("steering is off", Steer(l.Snapshot(), *r, Choice{Node: target}, &off, epoch))
	if late := Steer(l.Snapshot(), *r, Choice{Node: target}, p, epoch.Add(time.Hour)); late.SendBack && late.Target.Account.Tier != ledger.Declared {
		t.Fatalf("seed %d: sent back on samples that are an hour old: %s", seed, late.Message)
	}
	if milder := slices.Index(verdict.All(), p.DenyAt) + 1; milder < 6 {
		later := *p
		later.DenyAt = verdict.All()[milder]
		if d := Steer(l.Snapshot(), *r, Choice{Node: target}, &later, epoch); d.SendBack && !d.Verdict.AtLeast(later.DenyAt) {
			t.Fatalf("seed %d: sent back for %s with denyAt %s", seed, d.Verdict, later.DenyAt)
		}
	}
	for row := range l.Snapshot().Nodes() {
		if row.Name != target {
			avoided := *row.Node
			avoided.Taints = append(slices.Clone(avoided.Taints), placement.SoftTaint(epoch))
			l.SetNode(avoided)
		}
	}
	through("all others are to be avoided, too", Steer(l.Snapshot(), *r, Choice{Node: target}, p, epoch))
}
