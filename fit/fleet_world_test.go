// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// history is a ledger to which things happen, one after the other.
type history struct {
	chance

	ledger *ledger.Ledger
	policy *policy.Policy
	now    time.Time
	nodes  []node
	names  int
	pods   []ledger.Pod
}

func (c chance) history(nodes int) *history {
	h := &history{chance: c, policy: c.policy(), now: epoch}
	for len(h.nodes) < nodes {
		h.nodes = append(h.nodes, h.node())
	}
	h.ledger = c.ledger(h.nodes)
	if c.oneIn(3) {
		h.policy.MaxStaleness = 5 * time.Minute
	}
	return h
}

// node is one of the worlds' nodes with a name that no other has.
func (h *history) node() node {
	for {
		if some := h.chance.nodes(); len(some) > 0 {
			n := pick(h.chance, some...)
			n.name = fmt.Sprintf("n%d", h.names)
			h.names++
			return n
		}
	}
}

func (h *history) image() imageref.Ref { return imageOf(h.IntN(9)) }

// happen lets one thing happen.
func (h *history) happen() {
	h.now = h.now.Add(time.Duration(h.Int64N(int64(3 * time.Second))))
	if h.oneIn(40) {
		h.now = h.now.Add(time.Duration(h.Int64N(int64(3 * time.Minute))))
	}
	l := h.ledger
	switch h.IntN(12) {
	case 0, 1, 2:
		h.sample(pick(h.chance, h.nodes...))
	case 3:
		n := h.node()
		h.nodes = append(h.nodes, n)
		l.SetNode(n.row())
		h.sample(n)
	case 4:
		if len(h.nodes) > 1 {
			i := h.IntN(len(h.nodes))
			l.DeleteNode(h.nodes[i].name, "")
			h.nodes = append(h.nodes[:i:i], h.nodes[i+1:]...)
		}
	case 5:
		i := h.IntN(len(h.nodes))
		name, n := h.nodes[i].name, h.node()
		n.name = name
		h.nodes[i] = n
		l.SetNode(n.row())
	case 6, 7, 8:
		h.pod()
	case 9:
		h.manifest()
	case 10:
		lines := h.lines()
		if h.oneIn(3) {
			lines.MaxImagesListed = h.IntN(4)
		}
		l.SetLines(pick(h.chance, h.nodes...).name, "", lines)
	default:
		h.lesson()
	}
}

func (h *history) sample(n node) {
	l := h.ledger
	if h.oneIn(30) {
		l.ForgetMeasurement(n.name)
		return
	}
	age := time.Duration(h.Int64N(int64(30 * time.Second)))
	l.SetMeasurement(n.name, ledger.Measurement{
		NodeUID: types.UID(n.name), CapacityBytes: n.capacity, AvailableBytes: h.Int64N(n.capacity + 1),
		SampledAt: h.now.Add(-age), AgeAtReceipt: age, ReceivedAt: h.now, Inodes: n.inodes, InodesFree: n.inodesFree,
	})
}

// pod lets a pod come, go on, or go.
func (h *history) pod() {
	if len(h.pods) > 0 && h.oneIn(2) {
		i := h.IntN(len(h.pods))
		p := h.pods[i]
		if h.oneIn(4) {
			h.ledger.DeletePod(p.UID, h.now)
			h.pods = append(h.pods[:i:i], h.pods[i+1:]...)
			return
		}
		if p.NodeName == "" {
			p.NodeName = pick(h.chance, h.nodes...).name
		}
		p.Finished, p.Deleting = h.oneIn(6), h.oneIn(6)
		images := make([]ledger.PodImage, len(p.Images))
		for k := range images {
			images[k] = p.Images[k]
			images[k].Failing = h.oneIn(3)
			if images[k].Pulled = h.oneIn(2); images[k].Pulled && h.oneIn(2) {
				images[k].StartedAt = h.now
			}
		}
		p.Images = images
		h.pods[i] = p
		h.ledger.SetPod(p, h.now)
		return
	}
	name := fmt.Sprint("h", len(h.pods), "-", h.names)
	h.names++
	p := ledger.Pod{UID: types.UID(name), Namespace: pick(h.chance, "team", "other", "third"), Name: name, CreatedUnixSeconds: h.now.Unix(), Placement: placement.Of(nil)}
	for range 1 + h.IntN(2) {
		p.Images = append(p.Images, ledger.PodImage{Ref: h.image(), PullPolicy: pick(h.chance, corev1.PullIfNotPresent, corev1.PullAlways)})
	}
	if !h.oneIn(4) {
		p.NodeName = pick(h.chance, h.nodes...).name
	}
	h.pods = append(h.pods, p)
	h.ledger.SetPod(p, h.now)
}

// manifest lets a registry tell something else, half of the time with layers of which some are in several images.
func (h *history) manifest() {
	image := h.image()
	if h.oneIn(5) {
		h.ledger.DeleteManifest(image, linux)
		return
	}
	m := imagesize.Manifest{CompressedBytes: h.imageBytes(400)}
	if h.oneIn(2) {
		m.Digest = pick(h.chance, fmt.Sprintf("sha256:%064d", h.IntN(4)), imageOf(5).Digest())
	}
	chain := ""
	for k := range h.IntN(4) {
		digest := fmt.Sprintf("layer %d of %d", k, h.IntN(3))
		chain += digest
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: digest, ChainID: chain, CompressedBytes: 1 + h.Int64N(100), Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(h.Int64N(200)), Inodes: h.Int64N(20)},
		})
	}
	h.ledger.SetManifest(image, linux, m)
}

// lesson lets something be learned of a pool, or of an image.
func (h *history) lesson() {
	pool := imagesize.PoolKey{Pool: pick(h.chance, "", "x", "y"), Runtime: imagesize.Containerd, Platform: linux}
	switch h.IntN(4) {
	case 0:
		h.ledger.SetLearned(pool, imagesize.Learned{Lazy: h.oneIn(2), Observations: h.IntN(3)})
	case 1:
		h.ledger.SetObserved(pool, h.image(), estimate.Exactly(h.Int64N(300)))
	case 2:
		h.ledger.SetPulled(h.image(), imagesize.Containerd, linux, h.Int64N(300))
	default:
		h.ledger.SetAutoscaler(ledger.Autoscaler{Present: h.oneIn(2)})
	}
}

// asked is a request of some namespace, half of the time of one that no pod waits in.
func (h *history) asked() Request {
	r, _ := h.request()
	r.Images = nil
	for range 1 + h.IntN(3) {
		r.Images = append(r.Images, imageref.Image{
			Ref: h.image(), PullPolicy: pick(h.chance, corev1.PullIfNotPresent, corev1.PullIfNotPresent, corev1.PullAlways, corev1.PullNever),
		})
	}
	r.Namespace = pick(h.chance, "team", "other", "elsewhere", "elsewhere", "elsewhere")
	if h.oneIn(5) {
		r.Workload = &Workload{Kind: "Deployment", Replicas: h.IntN(5), EveryNode: h.oneIn(4), PerNode: h.IntN(3)}
	}
	if len(h.pods) > 0 && h.oneIn(10) {
		r.UID = pick(h.chance, h.pods...).UID
	}
	return r
}
