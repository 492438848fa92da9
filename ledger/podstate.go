// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/placement"
)

// podState is what writers know about one pod.
type podState struct {
	pod *Pod
	// uses are those of the pod, once they were asked for.
	uses []usedName
	// latches belong to pod.Images, one each, while the pod is bound.
	latches []latch
	// group is set while the pod reserves: not bound, not finished.
	group *group
	// goneAt is when a bound pod was seen deleted, our clock; zero before.
	goneAt time.Time
}

// SetPod writes a pod's row. now is our clock. A pod is known by its UID: one
// that has been deleted stays so, and one that was bound stays bound, whatever a
// late event says. A row without a UID is ignored.
func (l *Ledger) SetPod(pod Pod, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.publishSoon()
	l.forgetGone(pod.NodeName, now)
	if pod.UID == "" || l.deadPods.has(pod.UID) {
		return
	}
	if l.knows(&pod) {
		return
	}
	if l.reshape(&pod) {
		return
	}
	kept := pod // All others need no memory for a row.
	l.keepPod(&kept, now)
}

// keepPod writes a row that is new, of a pod that need not be known.
func (l *Ledger) keepPod(pod *Pod, now time.Time) {
	l.unpark(pod.UID)
	p := l.pods[pod.UID]
	arrives := p == nil || p.pod.NodeName != pod.NodeName
	if p == nil {
		p = &podState{}
		l.pods[pod.UID] = p
	} else if p.pod.NodeName != pod.NodeName {
		l.detach(p)
	}
	if pod.NodeName == "" {
		l.reserveAnew(p, pod)
		return
	}
	n := l.nodeNamed(pod.NodeName)
	p.latches = l.latches(n, p, pod, now)
	p.pod, p.uses = pod, nil
	n.settle(p)
	n.facts = nil
	if !l.synced && p.isQuiet() {
		l.park(n, p)
	} else {
		n.hold(p)
	}
	l.changeRow(n)
	if arrives && l.synced {
		l.begin(n, p)
	}
}

// knows reports whether a row says nothing new, or is older than the one held.
func (l *Ledger) knows(pod *Pod) bool {
	if n, i := l.findParked(pod.UID); n != nil {
		return pod.NodeName == "" || n.parked.isSame(i, pod, n.name)
	}
	p := l.pods[pod.UID]
	return p != nil && (p.pod.NodeName != "" && pod.NodeName == "" || samePod(p.pod, pod))
}

// DeletePod takes a pod away, for good. now is our clock: until the node has been
// sampled after it, what the pod's images have taken of its disk still counts.
func (l *Ledger) DeletePod(uid types.UID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadPods.bury(uid)
	if l.synced {
		l.forgetGone(l.nodeOf(uid), now) // first: it parks what it can
	}
	if l.dropParked(uid) {
		l.publishSoon()
		return
	}
	l.unpark(uid)
	p := l.pods[uid]
	if p == nil {
		return
	}
	if p.pod.NodeName != "" && l.synced {
		l.nodes[p.pod.NodeName].remember(p, now)
	}
	l.detach(p)
	delete(l.pods, uid)
	l.publishSoon()
}

// nodeOf returns the name of the node that a pod is bound to, "" for none.
func (l *Ledger) nodeOf(uid types.UID) string {
	if n, _ := l.findParked(uid); n != nil {
		return n.name
	}
	if p := l.pods[uid]; p != nil {
		return p.pod.NodeName
	}
	return ""
}

// detach takes a pod out of where it is: its node, or the pods that wait.
func (l *Ledger) detach(p *podState) {
	if p.pod.NodeName == "" {
		l.unreserve(p)
		return
	}
	p.latches = nil
	n := l.nodes[p.pod.NodeName]
	n.release(p.pod.UID)
	n.facts = nil
	n.disturb()
	l.changeRow(n)
	l.forgetUnused(n)
}

func samePod(a, b *Pod) bool {
	return a.UID == b.UID && a.NodeName == b.NodeName && a.CreatedUnixSeconds == b.CreatedUnixSeconds &&
		samePodRow(a, b) && slices.EqualFunc(a.Images, b.Images, samePodImage)
}

// samePodRow compares what pods may have in common, but for the images.
func samePodRow(a, b *Pod) bool {
	return a.Namespace == b.Namespace && a.Name == b.Name && a.NominatedNodeName == b.NominatedNodeName &&
		a.Finished == b.Finished && a.Deleting == b.Deleting && a.Gated == b.Gated && a.Unschedulable == b.Unschedulable &&
		a.MoreImages == b.MoreImages && a.Requests.Equal(b.Requests) && keyOf(a.Placement) == keyOf(b.Placement) &&
		a.PriorityClass == b.PriorityClass && maps.Equal(a.Labels, b.Labels) && a.Template == b.Template
}

func samePodImage(a, b PodImage) bool {
	return a.Ref == b.Ref && a.PullPolicy == b.PullPolicy && a.ImageID == b.ImageID &&
		a.Pulled == b.Pulled && a.Failing == b.Failing && a.StartedAt.Equal(b.StartedAt)
}

func keyOf(c *placement.Constraints) string {
	if c == nil {
		return ""
	}
	return c.Key()
}

// hold takes a pod in that is bound to the node.
func (n *nodeState) hold(p *podState) {
	place, found := n.placeOf(p.pod.UID)
	if found {
		n.pods[place] = p
		return
	}
	n.pods = slices.Insert(n.pods, place, p)
}

// release takes out a pod that was held.
func (n *nodeState) release(uid types.UID) {
	if place, found := n.placeOf(uid); found {
		n.pods = slices.Delete(n.pods, place, place+1)
	}
	if len(n.pods) == 0 {
		n.pods = nil
	}
}

func (n *nodeState) placeOf(uid types.UID) (place int, held bool) {
	return slices.BinarySearchFunc(n.pods, uid, func(p *podState, uid types.UID) int { return cmp.Compare(p.pod.UID, uid) })
}
