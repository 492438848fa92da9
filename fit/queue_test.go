// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
)

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
