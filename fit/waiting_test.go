// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// wait writes a pod that is not bound and wants one image.
func wait(t testing.TB, l *ledger.Ledger, image string, changes ...func(*ledger.Pod)) {
	t.Helper()
	pod := ledger.Pod{
		UID: types.UID("for " + image), Namespace: "team", Name: "for " + image, Placement: placement.Of(nil), CreatedUnixSeconds: epoch.Unix(),
		Images: []ledger.PodImage{{Ref: ref(t, image), PullPolicy: corev1.PullIfNotPresent}},
	}
	for _, change := range changes {
		change(&pod)
	}
	l.SetPod(pod, epoch)
}

// asking makes the pod request something.
func asking(what corev1.ResourceName, quantity string) func(*ledger.Pod) {
	return func(p *ledger.Pod) {
		p.Placement = placement.Of(&corev1.PodSpec{Containers: []corev1.Container{{
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{what: resource.MustParse(quantity)}},
		}}})
	}
}

// Of ten nodes that have room for 100 bytes each, images that fit on none take no more than one has: there is room for 50.
func TestWaitingImagesThatFitNowhere(t *testing.T) {
	for what, test := range map[string]struct {
		waiting int
		bytes   int64
		denied  bool
	}{
		"two that are far too large": {waiting: 2, bytes: 840},
		"eleven of them":             {waiting: 11, bytes: 840},
		"twenty that fit":            {waiting: 20, bytes: 50, denied: true},
		"nineteen that fit":          {waiting: 19, bytes: 50},
		"eleven that fit one a node": {waiting: 11, bytes: 60},
	} {
		t.Run(what, func(t *testing.T) {
			var nodes []node
			for i := range 10 {
				nodes = append(nodes, node{name: strconv.Itoa(i), capacity: 1000, available: 250})
			}
			l := world(nodes...)
			registry(t, l, map[string]int64{"app": 50})
			for i := range test.waiting {
				image := "w" + strconv.Itoa(i)
				registry(t, l, map[string]int64{image: test.bytes})
				wait(t, l, image)
			}
			p := enforcing()
			p.NodePools[0].Elastic = policy.ElasticFalse
			if d := Evaluate(l.Snapshot(), RequestOf(podOf("app")), p, epoch); (d.Action == Deny) != test.denied {
				t.Errorf("%s: %s; denied should be %v", d.Action, d.Message, test.denied)
			}
			elsewhere := RequestOf(podOf("app"))
			elsewhere.NotOn = map[string]bool{"0": true}
			if d := Evaluate(l.Snapshot(), elsewhere, p, epoch); d.Action == Deny {
				t.Errorf("one that would come again elsewhere: %s: %s", d.Action, d.Message)
			}
		})
	}
}

// Each of the nodes a, b and c has room for one image of 100 bytes, and no more, before pods are evicted. Pods wait for the
// images w1 and w2, and one is judged that wants a third.
func TestPodsThatWait(t *testing.T) {
	zone := func(zone string) func(*ledger.Pod) {
		return func(p *ledger.Pod) {
			p.Placement = placement.Of(&corev1.PodSpec{NodeSelector: map[string]string{"zone": zone}})
		}
	}
	tests := map[string]struct {
		build    func(*ledger.Ledger)
		selector map[string]string
		policy   func(*policy.Policy)
		denied   bool
	}{
		"leave room":             {build: func(*ledger.Ledger) {}},
		"take the rest together": {build: func(l *ledger.Ledger) { wait(t, l, "w3") }, denied: true},
		"take no more than once what many want": {build: func(l *ledger.Ledger) {
			for i := range 5 {
				wait(t, l, "w2", func(p *ledger.Pod) { p.UID = types.UID(strconv.Itoa(i)) })
			}
		}},
		"take nothing for the image that is judged": {build: func(l *ledger.Ledger) { wait(t, l, "app") }},
		"of another namespace":                      {build: func(l *ledger.Ledger) { wait(t, l, "w3", func(p *ledger.Pod) { p.Namespace = "other" }) }},
		"and are held by a gate":                    {build: func(l *ledger.Ledger) { wait(t, l, "w3", func(p *ledger.Pod) { p.Gated = true }) }},
		"and are unschedulable":                     {build: func(l *ledger.Ledger) { wait(t, l, "w3", func(p *ledger.Pod) { p.Unschedulable = true }) }},
		"and are the pod that is judged":            {build: func(l *ledger.Ledger) { wait(t, l, "w3", func(p *ledger.Pod) { p.UID = "judged" }) }},
		"and never pull": {build: func(l *ledger.Ledger) {
			wait(t, l, "w3", func(p *ledger.Pod) { p.Images[0].PullPolicy = corev1.PullNever })
		}},
		"for an image that one node has": {build: func(l *ledger.Ledger) {
			l.SetNode(node{name: "b", labels: map[string]string{"zone": "1"}, images: map[string]int64{"w3": 100}}.row())
			wait(t, l, "w3")
		}},
		"for an image that one node pulls": {build: func(l *ledger.Ledger) {
			wait(t, l, "w3")
			l.SetMeasurement("b", ledger.Measurement{CapacityBytes: 1000, AvailableBytes: 350, SampledAt: epoch.Add(1), ReceivedAt: epoch.Add(1)})
			bind(l, "pulls", "b", epoch.Add(1), ref(t, "w3"))
		}},
		"and could go elsewhere": {
			build: func(l *ledger.Ledger) { wait(t, l, "w3") }, selector: map[string]string{"zone": "1"},
		},
		"and could not go elsewhere": {
			build: func(l *ledger.Ledger) {
				wait(t, l, "w1", zone("1"))
				wait(t, l, "w2", zone("1"))
			}, selector: map[string]string{"zone": "1"}, denied: true,
		},
		"and could go elsewhere once that node has started": {
			build: func(l *ledger.Ledger) {
				l.SetNode(node{name: "c", labels: map[string]string{"zone": "2"}, taints: []corev1.Taint{{Key: "starting", Effect: corev1.TaintEffectNoSchedule}}}.row())
				wait(t, l, "w3")
			}, selector: map[string]string{"zone": "1"}, policy: func(p *policy.Policy) { p.StartupTaints = []string{"starting"} },
		},
		"for the very image of another that waits, by its digest": {build: func(l *ledger.Ledger) {
			name := digest("w2", 'a')
			for _, r := range []string{"w2", name} {
				l.SetManifest(ref(t, r), linux, imagesize.Manifest{CompressedBytes: 100, Digest: ref(t, name).Digest()})
			}
			wait(t, l, name)
		}},
		"and are just as old as counts": {build: func(l *ledger.Ledger) {
			wait(t, l, "w3", func(p *ledger.Pod) { p.CreatedUnixSeconds -= 60 })
		}, denied: true},
		"and have waited for too long": {build: func(l *ledger.Ledger) {
			wait(t, l, "w3", func(p *ledger.Pod) { p.CreatedUnixSeconds -= 61 })
		}},
		"and were created in the future, by clocks that differ": {build: func(l *ledger.Ledger) {
			wait(t, l, "w3", func(p *ledger.Pod) { p.CreatedUnixSeconds += 60 })
		}, denied: true},
		"and were created too far in the future": {build: func(l *ledger.Ledger) {
			wait(t, l, "w3", func(p *ledger.Pod) { p.CreatedUnixSeconds += 61 })
		}},
		"and ask for more CPU than there is on any node": {build: func(l *ledger.Ledger) { wait(t, l, "w3", asking("cpu", "9")) }},
		"and ask for what there is":                      {build: func(l *ledger.Ledger) { wait(t, l, "w3", asking("cpu", "8")) }, denied: true},
		"and ask for devices that no node has":           {build: func(l *ledger.Ledger) { wait(t, l, "w3", asking("example.com/gpu", "1")) }},
		"and find each node full of pods": {build: func(l *ledger.Ledger) {
			for _, name := range []string{"a", "b", "c"} {
				row, _ := l.Snapshot().Node(name)
				full := *row.Node
				full.Allocatable.Pods = 0
				l.SetNode(full)
			}
			wait(t, l, "w3")
		}},
		"and can't go now where the pod could": {build: func(l *ledger.Ledger) {
			l.SetNode(node{name: "c", labels: map[string]string{"zone": "2"}, cordoned: true}.row())
			wait(t, l, "w3")
		}},
		"for an image that is larger than any node's room": {build: func(l *ledger.Ledger) {
			wait(t, l, "huge")
			wait(t, l, "w1", func(p *ledger.Pod) { p.Images[0].Ref = ref(t, "huge") })
		}},
		"for an image that may fit on no node in the end": {build: func(l *ledger.Ledger) {
			// One byte more than the pod needs: those before it may have left just that everywhere.
			wait(t, l, "larger")
		}},
		"for images that only fit together with what another brings": {build: func(l *ledger.Ledger) {
			wait(t, l, "w3", func(p *ledger.Pod) {
				p.Images = append(p.Images, ledger.PodImage{Ref: ref(t, "w2"), PullPolicy: corev1.PullIfNotPresent})
			})
		}},
		"where all but one node are too full for the pod": {build: func(l *ledger.Ledger) {
			for _, name := range []string{"a", "b"} {
				l.SetMeasurement(name, ledger.Measurement{CapacityBytes: 1000, AvailableBytes: 240, SampledAt: epoch.Add(1), ReceivedAt: epoch.Add(1)})
			}
		}, denied: true},
		"where a new node could take the pod": {
			build: func(l *ledger.Ledger) { wait(t, l, "w3") }, policy: func(p *policy.Policy) { p.NodePools[0].Elastic = policy.ElasticTrue },
		},
		"where one node is not measured": {build: func(l *ledger.Ledger) {
			l.SetNode(node{name: "d"}.row())
			wait(t, l, "w3")
		}},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			var nodes []node
			for name, zone := range map[string]string{"a": "1", "b": "1", "c": "2"} {
				nodes = append(nodes, node{name: name, capacity: 1000, available: 250, labels: map[string]string{"zone": zone}})
			}
			l := world(nodes...)
			registry(t, l, map[string]int64{"app": 100, "w1": 100, "w2": 100, "w3": 100, digest("w2", 'a'): 100, "huge": 840, "larger": 101})
			wait(t, l, "w1")
			wait(t, l, "w2")
			test.build(l)
			pod := podOf("app")
			pod.Spec.NodeSelector = test.selector
			p := enforcing()
			p.NodePools[0].Elastic = policy.ElasticFalse
			if test.policy != nil {
				test.policy(p)
			}
			if d := Evaluate(l.Snapshot(), RequestOf(pod), p, epoch); (d.Action == Deny) != test.denied {
				t.Errorf("%s: %s; denied should be %v", d.Action, d.Message, test.denied)
			}
		})
	}
}

// What a base image holds is pulled once for all that stand on it.
func TestPodsThatWaitShareLayers(t *testing.T) {
	for _, shared := range []bool{true, false} {
		l := world(node{name: "a", capacity: 1000 << 20, available: 230 << 20}, node{name: "b", capacity: 1000 << 20, available: 230 << 20})
		for i, image := range []string{"app", "w1", "w2", "w3", "w4"} {
			base := "base"
			if !shared {
				base += image
			}
			l.SetManifest(ref(t, image), linux, imagesize.Manifest{CompressedBytes: 33 << 20, Layers: []imagesize.Layer{
				{Digest: base, ChainID: base, CompressedBytes: 30 << 20},
				{Digest: strconv.Itoa(i), ChainID: base + strconv.Itoa(i), CompressedBytes: 3 << 20},
			}})
			if image != "app" {
				wait(t, l, image)
			}
		}
		p := enforcing()
		p.NodePools[0].Elastic = policy.ElasticFalse
		if d := Evaluate(l.Snapshot(), RequestOf(podOf("app")), p, epoch); (d.Action == Deny) == shared {
			t.Errorf("layers shared: %v: %s: %s", shared, d.Action, d.Message)
		}
	}
}
