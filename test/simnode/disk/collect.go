// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"math"
	"time"
)

var zeroTime time.Time

// CollectImages runs one periodic image garbage collection now, besides the loop's.
func (n *Node) CollectImages(now time.Time) []Event {
	events := n.Advance(now)
	n.collect()
	return append(events, n.Advance(now)...)
}

// SyncEviction runs one pass of the eviction manager now, besides the loop's.
func (n *Node) SyncEviction(now time.Time) []Event {
	events := n.Advance(now)
	n.syncEviction()
	return append(events, n.Advance(now)...)
}

// DetectImages notes which images are there and in use, for their age and order.
func (n *Node) DetectImages(now time.Time) []Event {
	events := n.Advance(now)
	n.detect(n.now)
	return events
}

// detect is the kubelet's realImageGCManager.detectImages. An image's age counts
// from here, not from its pull.
func (n *Node) detect(at time.Time) (inUse map[string]bool) {
	inUse = map[string]bool{}
	for _, p := range n.pods {
		p.imagesInUse(inUse)
	}
	for id, rec := range n.store.images {
		if !rec.detected {
			rec.detected, rec.firstDetected = true, at
		}
		if inUse[id] {
			rec.lastUsed = at
		}
	}
	return inUse
}

// candidates are the images nobody uses, in the order of their deletion
// (kubelet: imagesInEvictionOrder).
func (n *Node) candidates() []Candidate {
	inUse := n.detect(n.now)
	var out []Candidate
	for id, rec := range n.store.images {
		if !inUse[id] && !rec.pinned {
			out = append(out, Candidate{ID: id, FirstDetected: rec.firstDetected, LastUsed: rec.lastUsed, ReportedBytes: rec.reportedBytes})
		}
	}
	SortForEviction(out)
	return out
}

// collectFirstOrLater is one run of the loop. A kubelet's first, as it starts,
// nearly always finds no statistics yet and fails ("invalid capacity 0 on image
// filesystem"); all it does is to note the images.
func (n *Node) collectFirstOrLater() {
	if !n.now.Equal(n.began) {
		n.collect()
		return
	}
	n.detect(n.now)
	n.gcFailed = true
}

// collect is the kubelet's realImageGCManager.GarbageCollect. It believes the
// last sample of the file system and takes no new one.
func (n *Node) collect() {
	if old := ChooseOld(n.candidates(), n.now, n.began, n.cfg.ImageMaximumGCAge); len(old) > 0 {
		for _, id := range old {
			n.deleteImage(id, "age")
		}
	}
	capacity, available := n.sample.CapacityBytes, n.sample.AvailableBytes
	if !GCTriggered(capacity, available, n.cfg.GCHighPercent) {
		n.gcFailed = false
		return
	}
	want := AmountToFree(capacity, available, n.cfg.GCLowPercent)
	ids, freed := ChooseSpace(n.candidates(), n.now, n.cfg.ImageMinimumGCAge, want)
	for _, id := range ids {
		n.deleteImage(id, "space")
	}
	if freed >= want {
		n.gcFailed = false
		return
	}
	message := gcFailedMessage(UsagePercent(capacity, available), capacity, freed)
	n.emit(Event{Kind: FreeDiskSpaceFailed, Message: message})
	if n.gcFailed {
		n.emit(Event{Kind: ImageGCFailed, Message: message})
	}
	n.gcFailed = true
}

// syncEviction is one pass of the kubelet's managerImpl.synchronize. It says
// whether it evicted a pod.
func (n *Node) syncEviction() bool {
	n.takeSample()
	seen := n.observations()
	was := n.pressure.DiskPressure()
	act := n.pressure.Observe(n.now, n.cfg.Thresholds, seen, n.cfg.PressureTransition)
	switch is := n.pressure.DiskPressure(); {
	case is && !was:
		n.emit(Event{Kind: PressureOn, Message: "kubelet has disk pressure"})
	case was && !is:
		n.emit(Event{Kind: PressureOff, Message: "kubelet has no disk pressure"})
	}
	if len(act) == 0 {
		return false
	}
	n.emit(Event{Kind: ThresholdMet, Message: "Attempting to reclaim ephemeral-storage"})
	if ReclaimsImages(act[0].Signal, n.cfg.SharedWithNodeFS) {
		n.deleteDeadContainers()
		ids, _ := ChooseSpace(n.candidates(), n.now, n.cfg.ImageMinimumGCAge, math.MaxInt64)
		for _, id := range ids {
			n.deleteImage(id, "eviction")
		}
		n.takeSample()
		if Relieved(n.cfg.Thresholds, n.observations()) {
			return false
		}
	}
	return n.evictOne(act[0], seen[act[0].Signal])
}

// deleteDeadContainers frees the images that only finished pods hold (kubelet:
// DeleteAllUnusedContainers).
func (n *Node) deleteDeadContainers() {
	for _, p := range n.pods {
		if p.terminal() && !p.removed {
			p.removed = true
			n.emit(Event{Kind: ContainersDeleted, Pod: p.ID})
		}
	}
}

// evictOne evicts the first pod of the ranking that may be evicted. An evicted
// pod's containers are deleted at once (kubelet: ShouldPodContentBeRemoved).
func (n *Node) evictOne(t Threshold, o Observation) bool {
	var ranked []Usage
	for _, p := range n.pods {
		if !p.terminal() && !p.Critical {
			ranked = append(ranked, Usage{
				ID: p.ID, Measured: p.measured(), DiskBytes: n.charged(t.Signal, p), RequestBytes: p.requestBytes(),
				Priority: p.Priority, Created: p.created,
			})
		}
	}
	if len(ranked) == 0 {
		return false
	}
	Rank(ranked)
	p := n.find(ranked[0].ID)
	message := evictionMessage(t, o, p.uses())
	n.finish(p, Failed, "Evicted", message)
	p.removed = true
	n.emit(Event{Kind: PodEvicted, Pod: p.ID, Message: message})
	return true
}

// charged is a pod's disk use in the ranking for a signal: writable layers on
// the image disk, and only logs and volumes, of which the model has none, on a
// node disk of its own.
func (n *Node) charged(signal Signal, p *pod) int64 {
	if signal == NodeFSAvailable && !n.cfg.SharedWithNodeFS {
		return 0
	}
	return p.diskBytes()
}
