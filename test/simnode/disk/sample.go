// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"time"
)

// Sample is the file system as the kubelet last measured it.
type Sample struct {
	// Time is when AvailableBytes was measured.
	Time           time.Time
	CapacityBytes  int64
	AvailableBytes int64
	// NodeFSCapacityBytes and NodeFSAvailableBytes are the kubelet's own disk: the
	// same numbers when it is shared.
	NodeFSCapacityBytes  int64
	NodeFSAvailableBytes int64
	// RuntimeTime is when the runtime last summed up its snapshots, and
	// SnapshotBytes what it found: writable layers in, blobs out.
	RuntimeTime   time.Time
	SnapshotBytes int64
}

// Sample returns the last sample. It is taken by the housekeeping loop and by
// every pass of the eviction manager, never by asking for it.
func (n *Node) Sample() Sample { return n.sample }

// Housekeep takes a sample now, besides the loop's.
func (n *Node) Housekeep(now time.Time) []Event {
	events := n.Advance(now)
	n.housekeep()
	return events
}

func (n *Node) housekeep() {
	n.takeSample()
	n.sample.RuntimeTime = n.now
	n.sample.SnapshotBytes = n.store.snapshotBytes() + n.writableBytes()
}

func (n *Node) takeSample() {
	s := &n.sample
	s.Time = n.now
	s.CapacityBytes, s.AvailableBytes = n.cfg.DiskBytes, n.AvailableBytes()
	if n.cfg.SharedWithNodeFS {
		s.NodeFSCapacityBytes, s.NodeFSAvailableBytes = s.CapacityBytes, s.AvailableBytes
		return
	}
	s.NodeFSCapacityBytes = n.cfg.NodeFSBytes
	s.NodeFSAvailableBytes = n.cfg.NodeFSBytes - n.cfg.NodeFSUsedBytes
}

// observations are the two signals as makeSignalObservations derives them: the
// image disk's carry the runtime's time, as containerd's Summary does.
func (n *Node) observations() map[Signal]Observation {
	s := n.sample
	return map[Signal]Observation{
		ImageFSAvailable: {CapacityBytes: s.CapacityBytes, AvailableBytes: s.AvailableBytes, Time: s.RuntimeTime},
		NodeFSAvailable:  {CapacityBytes: s.NodeFSCapacityBytes, AvailableBytes: s.NodeFSAvailableBytes, Time: s.Time},
	}
}

// UsedBytes is what is taken on the image disk at this moment.
func (n *Node) UsedBytes() int64 {
	return n.cfg.OtherUsedBytes + n.store.usedBytes + n.partialBytes() + n.writableBytes()
}

// AvailableBytes is what statfs would call available at this moment.
func (n *Node) AvailableBytes() int64 {
	return max(0, n.cfg.DiskBytes-n.cfg.ReservedBytes-n.UsedBytes())
}

// freeBytes is what root can still write.
func (n *Node) freeBytes() int64 { return max(0, n.cfg.DiskBytes-n.UsedBytes()) }

func (n *Node) writableBytes() int64 {
	var sum int64
	for _, p := range n.pods {
		sum += p.diskBytes()
	}
	return sum
}

// Images is what the runtime lists at this moment, largest first.
func (n *Node) Images() []ListedImage { return n.store.list() }

// CachedImages is what the node status is made from: the list as of the last
// run of the image list loop. It must not be changed.
func (n *Node) CachedImages() []ListedImage { return n.listed }

// UnderDiskPressure is the kubelet's condition as of the last eviction pass.
func (n *Node) UnderDiskPressure() bool { return n.pressure.DiskPressure() }

// Pod returns the state of a pod, and whether the node has it.
func (n *Node) Pod(id string) (PodState, bool) {
	p := n.find(id)
	if p == nil {
		return PodState{}, false
	}
	return p.state(), true
}

// Config returns the node's settings, defaults filled in.
func (n *Node) Config() Config { return n.cfg }
