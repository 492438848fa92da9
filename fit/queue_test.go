// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// A pod may come for nothing to a node that is full, if others bring there all that it lacks: one of them came for want of a
// node that has room. Of the nodes a and b, only b has room for the pod that is judged.
func TestPodsThatMayComeForNothing(t *testing.T) {
	sizes := map[string]int64{"app": 34, "x": 17, "y": 17, "z": 34, "small": 17}
	for what, c := range map[string]struct {
		pods   []string
		denied bool
	}{
		"small ones that fit on a, too":                              {pods: []string{"x", "y"}},
		"one that fits on b only":                                    {pods: []string{"x+y"}, denied: true},
		"one of its images comes to a alone, the other never":        {pods: []string{"x+y", "x"}, denied: true},
		"one comes to a alone, the other with a pod that is too big": {pods: []string{"x+y", "x", "y+z"}},
		"both with pods that are too big":                            {pods: []string{"x+y", "x+z", "y+z"}},
		"a pod that is too big brings neither":                       {pods: []string{"x+y", "x", "small+z"}, denied: true},
	} {
		t.Run(what, func(t *testing.T) {
			l, p := world(node{name: "a", capacity: 1000, available: 181}, node{name: "b", capacity: 1000, available: 189}), enforcing()
			p.NodePools[0].Elastic = policy.ElasticFalse
			registry(t, l, sizes)
			for _, pod := range c.pods {
				wait(t, l, "x", func(p *ledger.Pod) {
					p.UID, p.Images = types.UID(pod), nil
					for image := range strings.SplitSeq(pod, "+") {
						p.Images = append(p.Images, ledger.PodImage{Ref: ref(t, image), PullPolicy: corev1.PullIfNotPresent})
					}
				})
			}
			if d := Evaluate(l.Snapshot(), RequestOf(podOf("app")), p, epoch); (d.Action == Deny) != c.denied {
				t.Errorf("%s: %s; denied should be %v", d.Action, d.Message, c.denied)
			}
		})
	}
}

// So may the pod that is judged: a node that is too full for it has its base, and a pod that waits may bring the rest there once
// a small one has taken its place on the other node.
func TestThePodThatIsJudgedMayComeForNothing(t *testing.T) {
	const mib = 1 << 20
	for _, rest := range []string{"rest", "other"} {
		b := node{name: "b", capacity: 1000 * mib, available: 170 * mib, images: map[string]int64{"base": 60 * mib}}
		l, p := world(node{name: "a", capacity: 1000 * mib, available: 250 * mib}, b), enforcing()
		p.NodePools[0].Elastic = policy.ElasticFalse
		l.SetPod(ledger.Pod{UID: "user", Namespace: "x", Name: "user", NodeName: "b", Images: []ledger.PodImage{
			{Ref: ref(t, "base"), PullPolicy: corev1.PullIfNotPresent, Pulled: true, StartedAt: epoch.Add(-1)},
		}}, epoch)
		has := func(image string, layers ...imagesize.Layer) {
			m, chain := imagesize.Manifest{}, ""
			for _, layer := range layers {
				chain += layer.Digest
				layer.ChainID, m.CompressedBytes = chain, m.CompressedBytes+layer.CompressedBytes
				m.Layers = append(m.Layers, layer)
			}
			l.SetManifest(ref(t, image), linux, m)
		}
		layer := func(digest string, size int64) imagesize.Layer {
			return imagesize.Layer{Digest: digest, CompressedBytes: size * mib}
		}
		has("base", layer("base", 60))
		has("app", layer("base", 60), layer("rest", 30))
		has("waiting", layer(rest, 30), layer("own", 60))
		has("small", layer("small", 15))
		wait(t, l, "waiting")
		wait(t, l, "small")
		if d := Evaluate(l.Snapshot(), RequestOf(podOf("app")), p, epoch); (d.Action == Deny) != (rest == "other") {
			t.Errorf("what waits has the layer %s: %s: %s", rest, d.Action, d.Message)
		}
	}
}

// What is looked at is bounded by images, be they decided or not, and by nodes, be they starting or not.
func TestQueuesThatAreTooMuchToLookAt(t *testing.T) {
	const nodes, images, most = 100, 1000, 2 // of the pods that wait: three are too many
	several := func(from int) func(*ledger.Pod) {
		return func(p *ledger.Pod) {
			p.Images = nil
			for i := range images {
				p.Images = append(p.Images, ledger.PodImage{Ref: ref(t, fmt.Sprintf("w%d", from+i))})
			}
		}
	}
	starting := []corev1.Taint{{Key: "starting", Effect: corev1.TaintEffectNoSchedule}}
	for what, c := range map[string]struct {
		taints  []corev1.Taint
		startup []string
		nominee string
		apart   int // by how much the names of the images of one pod are ahead of those of the one before
		nothing bool
	}{
		"images on nodes":          {apart: images, nothing: true},
		"images that are the same": {apart: 1, nothing: true},
		"images that are decided":  {nominee: "node-0", nothing: true, apart: 1},
		"nodes that are starting":  {taints: starting, startup: []string{"starting"}, apart: images, nothing: true},
		"nodes that are tainted":   {taints: starting, apart: images},
	} {
		t.Run(what, func(t *testing.T) {
			var all []node
			for i := range nodes {
				n := node{name: fmt.Sprint("node-", i), capacity: 1000, available: 250}
				if i > 1 {
					n.taints = c.taints
				}
				all = append(all, n)
			}
			l, p := world(all...), enforcing()
			p.StartupTaints = c.startup
			if c.nominee != "" {
				wait(t, l, "nominated", several(0), func(p *ledger.Pod) {
					p.NominatedNodeName = c.nominee
					for i := range most + 1 {
						p.Images = append(p.Images, ledger.PodImage{Ref: ref(t, fmt.Sprintf("w%d", images+i))})
					}
				})
			}
			for count := 1; count <= most+1; count++ {
				wait(t, l, fmt.Sprint("waiting-", count), several((count-1)*c.apart))
				s, r := l.Snapshot(), RequestOf(podOf("app"))
				v := newSurvey(s, &r, p, epoch)
				waiting := v.accounts.Waiting(waitingMaxAge, maxWaiting)
				if len(waiting) != count {
					t.Fatalf("%d wait, want %d", len(waiting), count)
				}
				if nothing := v.queueOf(waiting) == nil; nothing != (c.nothing && count > most) {
					t.Errorf("%d pods are too many: %v", count, nothing)
				}
			}
		})
	}
}
