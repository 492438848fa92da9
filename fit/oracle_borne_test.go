// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// borne is a world of images that share layers. It tries out all orders and nodes, as arrivals does for images that share none.
type borne struct {
	sizes  []int64  // of layers, in blocks
	images []layers // the layers of each image
	rooms  []int64  // of nodes
	have   []layers // what the nodes have from the start
	pods   []bearer
	judged int
	seen   map[crowd]bool
}

// crowd is what the nodes have, and which pods are still to come.
type crowd struct {
	on     [3]layers
	toCome int
}

// layers are some of eight.
type layers uint8

// bearer is a pod that waits: its images together, and the nodes that it may come to.
type bearer struct {
	layers layers
	nodes  []int
}

func (b *borne) cost(of layers) (sum int64) {
	for i, size := range b.sizes {
		if of&(1<<i) != 0 {
			sum += size
		}
	}
	return sum
}

func (b *borne) fits(on []layers, n int, pod layers) bool {
	cost := b.cost(pod &^ on[n])
	return cost == 0 || cost <= b.rooms[n]-b.cost(on[n]&^b.have[n])
}

// leavesRoom reports whether the pod that is judged fits somewhere in the end, if the others come in some order.
func (b *borne) leavesRoom(on []layers, toCome int) bool {
	state := crowd{toCome: toCome}
	if copy(state.on[:], on); b.seen[state] {
		return false
	}
	b.seen[state] = true
	if toCome == 0 {
		for n := range on {
			if b.fits(on, n, b.images[b.judged]) {
				return true
			}
		}
		return false
	}
	for i, pod := range b.pods {
		if toCome&(1<<i) == 0 {
			continue
		}
		places := slices.DeleteFunc(slices.Clone(pod.nodes), func(n int) bool { return !b.fits(on, n, pod.layers) })
		if len(places) == 0 {
			if places = pod.nodes; b.leavesRoom(on, toCome&^(1<<i)) {
				return true
			}
		}
		for _, n := range places {
			next := slices.Clone(on)
			if next[n] |= pod.layers; b.leavesRoom(next, toCome&^(1<<i)) {
				return true
			}
		}
	}
	return false
}

// borne is such a world, and the ledger that knows it.
func (c chance) borne(t *testing.T) (*borne, *ledger.Ledger) {
	const block = 4096
	b := &borne{seen: map[crowd]bool{}, judged: c.IntN(6)}
	same := 1 + c.Int64N(20)
	for range 8 {
		b.sizes = append(b.sizes, pick(c, same, same, 1+c.Int64N(40)))
	}
	for range 6 {
		image := layers(1) << c.IntN(8)
		for i := range 8 {
			if c.oneIn(6) || i == 0 && c.oneIn(4) {
				image |= 1 << i
			}
		}
		b.images = append(b.images, image)
	}
	var nodes []node
	for i := range 2 + c.IntN(2) {
		b.rooms, b.have = append(b.rooms, 5+c.Int64N(70)), append(b.have, 0)
		n := node{name: fmt.Sprint("n", i), capacity: 1000 * block, available: (150 + b.rooms[i]) * block, labels: map[string]string{"pool": pick(c, "x", "y")}}
		if c.oneIn(4) {
			listed := c.IntN(6)
			b.have[i], n.images = b.images[listed], map[string]int64{imageOf(listed).String(): b.cost(b.images[listed]) * block}
		}
		nodes = append(nodes, n)
	}
	l := world(nodes...)
	for i, image := range b.images {
		m, chain := imagesize.Manifest{Digest: fmt.Sprintf("sha256:%064d", i)}, ""
		for k, size := range b.sizes {
			if image&(1<<k) == 0 {
				continue
			}
			bytes := size * block
			chain += fmt.Sprint("/", k)
			m.CompressedBytes += bytes
			m.Layers = append(m.Layers, imagesize.Layer{
				Digest: strconv.Itoa(k), ChainID: chain, CompressedBytes: bytes, Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(bytes)},
			})
		}
		l.SetManifest(imageOf(i), linux, m)
	}
	for i, n := range nodes {
		for name := range n.images { // Nothing can be reclaimed.
			l.SetPod(ledger.Pod{UID: types.UID(fmt.Sprint("user ", i)), Namespace: "x", Name: fmt.Sprint("user-", i), NodeName: n.name, Images: []ledger.PodImage{
				{Ref: ref(t, name), PullPolicy: corev1.PullIfNotPresent, Pulled: true, StartedAt: epoch.Add(-1)},
			}}, epoch)
		}
	}
	for i := range 1 + c.IntN(5) {
		c.bears(b, l, nodes, fmt.Sprint("w", i))
	}
	return b, l
}

func (c chance) bears(b *borne, l *ledger.Ledger, nodes []node, name string) {
	pool, spec := pick(c, "", "", "", "x", "y"), corev1.PodSpec{}
	if pool != "" {
		spec.NodeSelector = map[string]string{"pool": pool}
	}
	pod := ledger.Pod{UID: types.UID(name), Namespace: "team", Name: name, Placement: placement.Of(&spec), CreatedUnixSeconds: epoch.Unix()}
	var bears bearer
	for i, n := range nodes {
		if pool == "" || n.labels["pool"] == pool {
			bears.nodes = append(bears.nodes, i)
		}
	}
	if len(bears.nodes) < 2 {
		return // Its node's account would have it.
	}
	for _, i := range c.Perm(6)[:pick(c, 1, 1, 2)] {
		bears.layers |= b.images[i]
		pod.Images = append(pod.Images, ledger.PodImage{Ref: imageOf(i), PullPolicy: corev1.PullIfNotPresent})
	}
	b.pods = append(b.pods, bears)
	l.SetPod(pod, epoch)
}

// Where pods that wait share layers, and images, nothing is refused for their sake that may have room in the end.
func TestOracleAgreesWherePodsThatWaitShareLayers(t *testing.T) {
	decided := 0
	for seed := range uint64(3 * worlds) {
		b, l := chanceOf(seed).borne(t)
		p := enforcing()
		p.NodePools[0].Elastic = policy.ElasticFalse
		d := Evaluate(l.Snapshot(), RequestOf(podOf(imageOf(b.judged).String())), p, epoch)
		if !d.Waiting {
			continue
		}
		if decided++; b.leavesRoom(b.have, 1<<len(b.pods)-1) {
			t.Fatalf("seed %d: %+v: pods that wait may leave room: %s", seed, b, d.Message)
		}
	}
	if t.Logf("pods that wait decide in %d worlds", decided); decided < worlds/200 {
		t.Errorf("only %d decisions by pods that wait", decided)
	}
}
