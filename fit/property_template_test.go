// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// templateWorld is a world with a template in it.
type templateWorld struct {
	chance

	nodes  []node
	ledger *ledger.Ledger
	policy *policy.Policy
	pod    *corev1.Pod
	images []imageref.Image
	wishes wishes
}

func templateWorldOf(seed uint64) *templateWorld {
	c := chanceOf(seed + 1<<32)
	nodes := c.nodes()
	w := &templateWorld{chance: c, nodes: nodes, ledger: c.ledger(nodes), policy: c.policy()}
	r, _ := c.request()
	w.images = r.Images
	w.wishes = c.wishes()
	w.pod = w.wishes.pod()
	if w.wishes.gpus == 0 && !c.oneIn(3) {
		wants(pick(c, "1", "4", "9"))(w.pod)
	}
	if c.oneIn(2) {
		pick(c, apart, spreadOut)(w.pod)
	}
	for _, n := range nodes {
		if c.oneIn(4) {
			busy(n.name)(w.ledger)
		}
	}
	return w
}

// of is the request for a template; nil is for one of its pods.
func (w *templateWorld) of(workload *Workload) Request {
	r := RequestOf(w.pod)
	if workload != nil {
		r = RequestOfTemplate(w.pod, *workload)
	}
	r.Images = w.images
	return r
}

func (w *templateWorld) decide(workload *Workload) Decision {
	return Evaluate(w.ledger.Snapshot(), w.of(workload), w.policy, epoch)
}

// overloaded counts, node by node, where a pod would likely be at or past warnAt, among those that could take it now, or
// among all if none could.
func (w *templateWorld) overloaded(r Request) (overloaded int) {
	d := func(n node) Decision {
		one := r
		one.Workload, one.NotOn = nil, map[string]bool{}
		for _, other := range w.nodes {
			one.NotOn[other.name] = other.name != n.name
		}
		return Evaluate(w.ledger.Snapshot(), one, w.policy, epoch)
	}
	now, ever := 0, 0
	anyReady := false
	for _, n := range w.nodes {
		row, _ := w.ledger.Snapshot().Node(n.name)
		one := d(n)
		ready := r.Placement.Likely(&row.Node.Node, r.Placement.Requests())
		anyReady = anyReady || ready
		if one.Overloaded == 0 {
			continue
		}
		if ever++; ready {
			now++
		}
	}
	if anyReady {
		return now
	}
	return ever
}

// The naive oracle agrees on every template, none is refused, and nothing is waited for.
func TestOracleAgreesOnTemplates(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(worlds) {
		w := templateWorldOf(seed)
		workload := deployment(w.IntN(6))
		if w.oneIn(2) {
			workload = daemonSet()
		}
		s, r := w.ledger.Snapshot(), w.of(workload)
		d := Evaluate(s, r, w.policy, epoch)
		got := opinionOf(&d)
		if want := (oracle{s: s, r: r, p: w.policy, now: epoch, wishes: w.wishes}).opinionOf(t, &d); got != want {
			t.Fatalf("seed %d, %+v: got %+v, the oracle says %+v: %s", seed, *workload, got, want, d.Message)
		}
		if d.Action == Deny || d.CauseCode != "" {
			t.Fatalf("seed %d, %+v: %s, cause %q", seed, *workload, d.Action, d.CauseCode)
		}
		checkMessage(t, &d, w.policy, &r)
		seen[workload.Kind+" "+string(d.Action)]++
		seen[workload.Kind+" "+string(d.Verdict)]++
		if d.Action == Warn && 2*d.Overloaded <= d.Likely {
			seen[workload.Kind+" warned for a minority"]++
		}
		if strings.Contains(d.Message, "its pods would be refused") {
			seen[workload.Kind+" refused later"]++
		}
	}
	for _, kind := range []string{"Deployment", "DaemonSet"} {
		for _, what := range []string{"Warn", "Allow", "warned for a minority", "refused later", "EvictsPods", "FillsDisk", "NeverFits", "Unknown"} {
			if n := seen[kind+" "+what]; n < worlds/200 {
				t.Errorf("only %d worlds with %s: %s", n, kind, what)
			}
		}
	}
	t.Log(seen)
}

// A template of one replica is told what its pod is told; where the pod would be refused, it is told that.
func TestOneReplicaIsJudgedAsItsPod(t *testing.T) {
	refused := 0
	for seed := range uint64(worlds / 2) {
		w := templateWorldOf(seed)
		pod, template := w.decide(nil), w.decide(deployment(1))
		if pod.Action == Deny {
			refused++
			if template.Action != Warn || template.Verdict != pod.Verdict || template.Message != strings.TrimSuffix(pod.Message, again)+"; its pods would be refused" {
				t.Fatalf("seed %d: the pod is refused: %s\nand its template: %s: %s", seed, pod.Message, template.Action, template.Message)
			}
			continue
		}
		if pod.Action != template.Action || pod.Verdict != template.Verdict || pod.Reason != template.Reason || pod.Message != template.Message {
			t.Fatalf("seed %d: the pod: %s, %s: %s\nits template: %s, %s: %s", seed,
				pod.Action, pod.Verdict, pod.Message, template.Action, template.Verdict, template.Message)
		}
	}
	if refused < worlds/120 {
		t.Errorf("only %d pods were refused", refused)
	}
}

// One replica more never takes a warning away.
func TestMoreReplicasNeverTakeAWarningAway(t *testing.T) {
	warned := 0
	for seed := range uint64(worlds / 4) {
		w := templateWorldOf(seed)
		before := w.decide(deployment(0))
		for replicas := 1; replicas < 6; replicas++ {
			after := w.decide(deployment(replicas))
			if before.Action == Warn && after.Action != Warn {
				t.Fatalf("seed %d: %d replicas: %s\none more: %s", seed, replicas-1, before.Message, after.Message)
			}
			if before.Action != Warn && after.Action == Warn && replicas > 1 {
				warned++
			}
			before = after
		}
	}
	if warned < worlds/120 {
		t.Errorf("only %d times a replica more made for a warning", warned)
	}
}

// A DaemonSet is warned about exactly where some pod of it, judged at its node alone, would be past warnAt.
func TestDaemonsAreWarnedAboutNodeByNode(t *testing.T) {
	warned, quiet := 0, 0
	for seed := range uint64(worlds / 4) {
		w := templateWorldOf(seed)
		d := w.decide(daemonSet())
		overloaded := w.overloaded(w.of(daemonSet()))
		if want := overloaded > 0 && w.policy.Mode.AtLeast(policy.Warn); (d.Action == Warn) != want || d.Overloaded != overloaded {
			t.Fatalf("seed %d: %d nodes would be overloaded: %s, %d: %s", seed, overloaded, d.Action, d.Overloaded, d.Message)
		}
		if d.Action == Warn {
			warned++
		} else if d.Verdict != verdict.Unknown {
			quiet++
		}
	}
	if warned < worlds/120 || quiet < worlds/120 {
		t.Errorf("only %d warnings, and %d times none", warned, quiet)
	}
}

// More free space never makes for a warning about a template, unless it shows that an image is not there.
func TestFreeSpaceNeverWarns(t *testing.T) {
	quiet := 0
	for seed := range uint64(worlds / 4) {
		w := templateWorldOf(seed)
		workload := deployment(1 + w.IntN(5))
		if w.oneIn(2) {
			workload = daemonSet()
		}
		if len(w.nodes) == 0 || w.decide(workload).Action == Warn {
			continue
		}
		n := pick(w.chance, w.nodes...)
		row, _ := w.ledger.Snapshot().Node(n.name)
		unsure := func(i imageref.Image) bool { return row.Presence(i.Ref) == ledger.PresenceUnsure }
		if n.unmeasured || n.age > 0 || slices.ContainsFunc(w.images, unsure) {
			continue
		}
		quiet++
		now := epoch.Add(time.Second)
		w.ledger.SetMeasurement(n.name, ledger.Measurement{
			CapacityBytes: n.capacity, AvailableBytes: n.available + w.Int64N(n.capacity-n.available+1), SampledAt: now, ReceivedAt: now,
			Inodes: n.inodes, InodesFree: n.inodesFree,
		})
		if d := Evaluate(w.ledger.Snapshot(), w.of(workload), w.policy, now); d.Action == Warn {
			t.Fatalf("seed %d: %+v: with more space on %s: %s", seed, *workload, n.name, d.Message)
		}
	}
	if quiet < worlds/24 {
		t.Errorf("only %d times without a warning", quiet)
	}
}
