// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

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

// The search for another node ends, and begins somewhere else each moment.
func TestSteerLooksAtSomeNodes(t *testing.T) {
	const all = 20 * othersJudged
	nodes := []node{full("a")}
	for i := range all - 1 {
		nodes = append(nodes, full(fmt.Sprintf("full-%05d", i)))
	}
	found := func(l *ledger.Ledger, r Request) (times int) {
		s, p := l.Snapshot(), enforcing()
		for i := range 40 {
			d := Steer(s, r, Choice{Node: "a"}, p, epoch.Add(time.Duration(i)*time.Millisecond))
			if d.SendBack != (d.Other == "z") || !d.SendBack && d.Reason != NoOtherNode {
				t.Fatalf("sent back %v in favour of %q: %s", d.SendBack, d.Other, d.Reason)
			}
			if d.SendBack {
				times++
			}
		}
		return times
	}
	one := world(append(nodes, roomy("z"))...)
	registry(t, one, map[string]int64{"app": 100})
	if times := found(one, RequestOf(podOf("app"))); times == 0 || times > 10 {
		t.Errorf("one node of %d that would do was found %d times of 40, want about 2", all, times)
	}
	// What the pod could not go to is not counted as looked at.
	pod := podOf("app")
	selects("pool", "p")(pod)
	chosen, other := full("a"), roomy("z")
	chosen.labels, other.labels = map[string]string{"pool": "p"}, map[string]string{"pool": "p"}
	pool := world(append([]node{chosen, other}, nodes[1:]...)...)
	registry(t, pool, map[string]int64{"app": 100})
	if times := found(pool, RequestOf(pod)); times != 40 {
		t.Errorf("one of two nodes of its pool was found %d times of 40", times)
	}
}
