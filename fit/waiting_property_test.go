// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// waiting is a pod that is not bound.
func (c chance) waiting(name string) ledger.Pod {
	var spec corev1.PodSpec
	switch c.IntN(12) {
	case 0:
		spec.NodeSelector = map[string]string{corev1.LabelHostname: pick(c, "n0", "n1")}
	case 1, 2:
		spec.NodeSelector = map[string]string{"pool": pick(c, "x", "y", "z")}
	case 3:
		spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	if c.oneIn(12) {
		spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse(pick(c, "5", "9")),
		}}}}
	}
	pod := ledger.Pod{
		UID: types.UID(name), Namespace: pick(c, "team", "team", "team", "other"), Name: name, Placement: placement.Of(&spec),
		Gated: c.oneIn(10), Unschedulable: c.oneIn(10), CreatedUnixSeconds: epoch.Unix() - pick[int64](c, 0, 1, 2, 30, 60, -1, -60),
	}
	if c.oneIn(15) {
		pod.CreatedUnixSeconds -= pick[int64](c, 61, 3600, -122)
	}
	for _, i := range c.Perm(6)[:pick(c, 1, 1, 2)] {
		pod.Images = append(pod.Images, ledger.PodImage{Ref: imageOf(i), PullPolicy: pick(c, corev1.PullIfNotPresent, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)})
	}
	if c.oneIn(15) {
		pod.NominatedNodeName = pick(c, "n0", "n1")
	}
	return pod
}

// queue is a world in which pods wait for about as much as the nodes have room for.
func (c chance) queue() *ledger.Ledger {
	var nodes []node
	for i := range 1 + c.IntN(4) {
		n := node{name: fmt.Sprintf("n%d", i), capacity: 1000, available: 150 + c.Int64N(250), labels: map[string]string{"pool": pick(c, "x", "y", "z")}}
		n.images = map[string]int64{imageOf(6).String(): c.Int64N(100)} // could be reclaimed
		if c.oneIn(8) {
			n.images[imageOf(c.IntN(6)).String()] = c.Int64N(100)
		}
		if c.oneIn(8) {
			n.taints = []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoSchedule}}
		}
		n.unmeasured, n.cordoned, n.milliCPU = c.oneIn(30), c.oneIn(15), pick[int64](c, 8000, 8000, 4000)
		nodes = append(nodes, n)
	}
	l := world(nodes...)
	same := 40 + c.Int64N(80)
	for i := range 6 {
		l.SetManifest(imageOf(i), linux, imagesize.Manifest{CompressedBytes: pick(c, same, same, same, 20+c.Int64N(150))})
	}
	for i := range c.IntN(9) {
		l.SetPod(c.waiting(fmt.Sprintf("w%d", i)), epoch)
	}
	if c.oneIn(3) {
		bind(l, "bound", pick(c, nodes...).name, epoch, imageOf(c.IntN(6)))
	}
	return l
}

// opinionOf is what the oracle decides. The rule of those who wait may say less than there is to be known, never more: the
// oracle takes it over where they leave no room, however they come.
func (o oracle) opinionOf(t *testing.T, d *Decision) opinion {
	t.Helper()
	if d.Waiting && o.leavesRoom() {
		t.Fatalf("%+v: pods that wait may leave room: %s", o.r, d.Message)
	}
	o.spoken = d.Waiting
	return o.decide(o.p.Mode)
}

// The naive oracle agrees where pods wait, too, and what would be refused is warned about.
func TestOracleAgreesWherePodsWait(t *testing.T) {
	decided, missed := 0, 0
	for seed := range uint64(worlds) {
		c := chanceOf(seed)
		s, p := c.queue().Snapshot(), c.policy()
		r, w := c.request()
		r.Images = r.Images[:1]
		d, o := Evaluate(s, r, p, epoch), oracle{s: s, r: r, p: p, now: epoch, wishes: w}
		if got, want := opinionOf(&d), o.opinionOf(t, &d); got != want {
			t.Fatalf("seed %d: got %+v, the oracle says %+v: %s", seed, got, want, d.Message)
		}
		checkMessage(t, &d, p, &r)
		switch {
		case d.Waiting:
			decided++
		case p.DenyAt != verdict.NeverFits && d.Possible > 0 && !o.denies(o.judge(0)) && !o.leavesRoom():
			missed++
		}
		if p.Mode = policy.Warn; d.Action == Deny && Evaluate(s, r, p, epoch).Action != Warn {
			t.Fatalf("seed %d: refused without a warning: %s", seed, d.Message)
		}
	}
	t.Logf("pods that wait decide in %d worlds; in %d more they leave no room", decided, missed)
	if decided < worlds/200 {
		t.Errorf("only %d decisions by pods that wait", decided)
	}
}

// A pod of another namespace that waits makes no difference to what is refused.
func TestOtherNamespacesWaitForThemselves(t *testing.T) {
	refused := 0
	for seed := range uint64(worlds) {
		c := chanceOf(seed)
		l, p := c.queue(), c.policy()
		r, _ := c.request()
		before := Evaluate(l.Snapshot(), r, p, epoch)
		other := c.waiting("other")
		other.Namespace = "other"
		l.SetPod(other, epoch)
		after := Evaluate(l.Snapshot(), r, p, epoch)
		if (before.Action == Deny) != (after.Action == Deny) || before.Waiting != after.Waiting {
			t.Fatalf("seed %d: %s: %s; with a pod of another namespace %s: %s", seed, before.Action, before.Message, after.Action, after.Message)
		}
		if before.Waiting {
			refused++
		}
	}
	if refused < worlds/200 {
		t.Errorf("only %d decisions by pods that wait", refused)
	}
}

// A pod that waits takes room and never gives any: without it, nothing is refused that is admitted with it. An image that
// others want, too, is another matter: where one pod has brought it, it costs the next one nothing.
func TestWithoutAWaitingPodNoMoreIsRefused(t *testing.T) {
	taken, freed := 0, 0
	for seed := range uint64(worlds) {
		c := chanceOf(seed)
		l, p := c.queue(), c.policy()
		r, _ := c.request()
		r.Images = r.Images[:1]
		wanted := map[imageref.Ref]int{r.Images[0].Ref: 1}
		var pods []*ledger.Pod
		for pod := range l.Snapshot().UnboundPods() {
			pods = append(pods, pod)
			for i := range pod.Images {
				wanted[pod.Images[i].Ref]++
			}
		}
		before := Evaluate(l.Snapshot(), r, p, epoch)
		for _, pod := range pods {
			if slices.ContainsFunc(pod.Images, func(i ledger.PodImage) bool { return wanted[i.Ref] > 1 }) {
				continue
			}
			l.DeletePod(pod.UID, epoch)
			after := Evaluate(l.Snapshot(), r, p, epoch)
			if taken++; before.Action != Deny && after.Action == Deny {
				t.Fatalf("seed %d: %s; without pod %s: %s", seed, before.Message, pod.Name, after.Message)
			}
			if before.Action == Deny && after.Action != Deny {
				freed++
			}
			before = after
		}
	}
	if freed < worlds/800 {
		t.Errorf("of %d pods, only %d made a difference", taken, freed)
	}
}

// Whatever pods of another namespace want that are not bound, and whatever registries claim of images that only they have,
// bound or not: nobody is refused for it who would not be refused without.
func TestOtherNamespacesReserveNothing(t *testing.T) {
	admitted, full := 0, 0
	for seed := range uint64(worlds) {
		c := chanceOf(seed)
		l, p := c.queue(), c.policy()
		if c.oneIn(2) {
			l = c.ledger(c.nodes())
		}
		r, _ := c.request()
		before := Evaluate(l.Snapshot(), r, p, epoch)
		if before.Action == Deny {
			continue
		}
		admitted++
		c.besiege(l)
		after := Evaluate(l.Snapshot(), r, p, epoch)
		if after.Action == Deny {
			t.Fatalf("seed %d: %s; with pods of another namespace: %s", seed, before.Message, after.Message)
		}
		if after.Overloaded > before.Overloaded {
			full++
		}
	}
	if admitted < worlds/2 || full < worlds/20 {
		t.Errorf("only %d admissions, of which others' pods made %d worse", admitted, full)
	}
}

// besiege has another namespace want as much as it can without taking any.
func (c chance) besiege(l *ledger.Ledger) {
	var names []string
	for row := range l.Snapshot().Nodes() {
		names = append(names, row.Name)
	}
	for i := 7; i < 10; i++ {
		l.SetManifest(imageOf(i), linux, imagesize.Manifest{CompressedBytes: pick(c, 100, 1000, c.Int64N(1<<62))})
	}
	for i := range 2 + c.IntN(10) {
		pod := c.waiting(fmt.Sprintf("siege%d", i))
		pod.Namespace = "other"
		if c.oneIn(2) && len(names) > 0 {
			// One for each node, of an image that may be known well.
			pod.Placement = placement.Of(&corev1.PodSpec{NodeSelector: map[string]string{corev1.LabelHostname: names[i%len(names)]}})
		}
		if c.oneIn(2) {
			pod.Images[0].Ref = imageOf(7 + c.IntN(3))
			if pod.Images = pod.Images[:1]; c.oneIn(2) && len(names) > 0 {
				pod.NodeName = names[i%len(names)] // it may even be bound
			}
		}
		l.SetPod(pod, epoch)
	}
}
