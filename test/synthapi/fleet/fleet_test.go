// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func newFleet(t testing.TB, o Options) *Fleet {
	t.Helper()
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (p Pods) values(i int, s State) values {
	suffix, id, number := suffixOf(i, s.Life), make([]byte, 36), make([]byte, 10)
	putUID(id, p.identity(i, s.Life))
	putDecimal(number, s.Version)
	return values{
		texts: [hexID]string{
			nameSuffix: string(suffix[:]), uid: string(id), version: string(number),
			nodeName: string(nodeNameOf(p.Node(i))), nodeIP: NodeAddress(p.Node(i)), podIP: string(podAddress(i)),
		},
		hexIDs: func(k int) string {
			text := make([]byte, 64)
			putHex(text, mix(p.identity(i, s.Life), uint64(k)))
			return string(text)
		},
		seconds: [fields]int64{created: int64(s.Created), started: int64(s.Started), deleted: int64(s.Deleted)},
	}
}

func TestPodsAreWhatTheirStencilsStandFor(t *testing.T) {
	f := newFleet(t, Options{Nodes: 100, Pods: 11_000, Seed: 7})
	pods := Pods{f}
	for i := 0; i < pods.Len(); i += 7 {
		s := pods.First(i)
		s.Life, s.Deleted = uint32(i%40), s.Started+100
		s.Phase = Waiting + Phase(i%4)
		var got corev1.Pod
		encoded := pods.Append(nil, i, s)
		if err := got.Unmarshal(encoded); err != nil {
			t.Fatal(err)
		}
		want := f.pod(f.templateOf(i), s.Phase, pods.values(i, s))
		if len(encoded) != pods.Size(i, s) {
			t.Fatalf("pod %d in phase %d has %d bytes, its size is %d", i, s.Phase, len(encoded), pods.Size(i, s))
		}
		if diff := cmp.Diff(want, &got); diff != "" {
			t.Fatalf("pod %d in phase %d (-object +stencil):\n%s", i, s.Phase, diff)
		}
		if namespace, name := pods.Key(i, s); got.Namespace != namespace || got.Name != name {
			t.Fatalf("pod %d is %s/%s, its key is %s/%s", i, got.Namespace, got.Name, namespace, name)
		}
		if at, found := pods.Find(got.Namespace, got.Name); !found || at != i {
			t.Fatalf("pod %d is found as %d, %t", i, at, found)
		}
	}
}

func TestNodesAreWhatTheirStencilsStandFor(t *testing.T) {
	f := newFleet(t, Options{Nodes: 300, Pods: 9000, Seed: 7, ImagesPerNode: 200})
	nodes := Nodes{f}
	for i := range nodes.Len() {
		s := nodes.First(i)
		s.Life = uint32(i)
		var got corev1.Node
		encoded := nodes.Append(nil, i, s)
		if err := got.Unmarshal(encoded); err != nil {
			t.Fatal(err)
		}
		id, number := make([]byte, 36), make([]byte, 10)
		putUID(id, nodes.identity(i))
		putDecimal(number, s.Version)
		want := f.node(nodes.poolOf(i), nodes.images(i, s.Life), values{
			texts:   [hexID]string{uid: string(id), version: string(number), nodeName: string(nodeNameOf(i)), nodeIP: NodeAddress(i)},
			seconds: [fields]int64{created: int64(s.Created), started: int64(s.Started)},
		})
		if len(encoded) != nodes.Size(i, s) {
			t.Fatalf("node %d has %d bytes, its size is %d", i, len(encoded), nodes.Size(i, s))
		}
		if diff := cmp.Diff(want, &got); diff != "" {
			t.Fatalf("node %d (-object +stencil):\n%s", i, diff)
		}
		if at, found := nodes.Find("", got.Name); !found || at != i {
			t.Fatalf("node %d is found as %d, %t", i, at, found)
		}
		if at, valid := NodeOfAddress(netip.MustParseAddr(NodeAddress(i))); !valid || at != i {
			t.Fatalf("the address of node %d is that of %d, %t", i, at, valid)
		}
	}
}

func TestNoTwoPodsThatAreThereHaveOneName(t *testing.T) {
	pods := Pods{newFleet(t, Options{Nodes: 1000, Pods: 200_000})}
	seen := make(map[string]bool, pods.Len())
	for i := range pods.Len() {
		s := pods.First(i)
		s.Life = uint32(drawn(lives*3, 1, i))
		namespace, name := pods.Key(i, s)
		if seen[namespace+"/"+name] {
			t.Fatalf("two pods are %s/%s", namespace, name)
		}
		seen[namespace+"/"+name] = true
	}
}

// TestListsAreAsKubeletsMakeThem: a node lists as many images as it was told, the largest first, and what its pods run is
// either among them or smaller than all of them.
func TestListsAreAsKubeletsMakeThem(t *testing.T) {
	for what, o := range map[string]Options{
		"few pods":  {Nodes: 200, Pods: 2000},
		"many pods": {Nodes: 200, Pods: 22_000},
		"long list": {Nodes: 200, Pods: 22_000, ImagesPerNode: 200},
	} {
		f := newFleet(t, o)
		nodes := Nodes{f}
		for i := range nodes.Len() {
			before, list := nodes.images(i, 3), nodes.images(i, 4)
			if len(list) != f.options.ImagesPerNode || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
				t.Fatalf("%s: node %d lists %v", what, i, list)
			}
			if same := slices.Equal(before, list); same {
				t.Errorf("%s: node %d lists the same after a change: %v", what, i, list)
			}
			for place := i; place < o.Pods; place += o.Nodes {
				for _, index := range f.templateOf(place).images {
					if _, listed := slices.BinarySearch(list, index); !listed && index < list[len(list)-1] {
						t.Errorf("%s: node %d does not list %d, which its pod has, but smaller ones", what, i, index)
					}
				}
			}
		}
	}
}

func TestSizesAreThoseOfRealObjects(t *testing.T) {
	for images, want := range map[int][2]int{50: {13_000, 20_000}, 200: {36_000, 52_000}} {
		f := newFleet(t, Options{Nodes: 100, Pods: 11_000, ImagesPerNode: images})
		nodes, pods := Nodes{f}, Pods{f}
		sum := 0
		for i := range nodes.Len() {
			sum += nodes.Size(i, nodes.First(i))
		}
		if mean := sum / nodes.Len(); mean < want[0] || mean > want[1] {
			t.Errorf("a node with %d images has %d bytes, want from %d to %d", images, mean, want[0], want[1])
		}
		sum = 0
		for i := range pods.Len() {
			sum += pods.Size(i, pods.First(i))
		}
		if mean := sum / pods.Len(); mean < 4800 || mean > 7200 {
			t.Errorf("a pod has %d bytes, want from 4800 to 7200", mean)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for want, o := range map[string]Options{
		"nodes: -1 must be from 0 to 1000000":          {Nodes: -1},
		"pods: they need at least one node":            {Pods: 1},
		"images per node: 2000 must be from 1 to 1000": {ImagesPerNode: 2000},
		"kubelet port: 70000 must be from 1 to 65535":  {KubeletPort: 70000},
		"templates: 3 must be from 7 to 20000":         {Templates: 3},
		"namespaces: 20000 must be from 1 to 10000":    {Namespaces: 20_000},
		"pods: 900000 must be from 0 to 896806":        {Nodes: 1, Pods: 900_000},
	} {
		if _, err := New(o); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
}
