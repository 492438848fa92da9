// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"time"
)

// Kinds of fleets.
const (
	// Roomy nodes have a third to two thirds of their disks free: nothing depends on which images they hold.
	Roomy = "roomy"
	// NearlyFull nodes have their room within what a pod needs of the line where pods are evicted: on every one of them it
	// depends on the images that it holds what a pod would do. It is the case that Headroom exists for, and the dearest one.
	NearlyFull = "nearly-full"
	// Burst is a roomy fleet while the pods that wait want the images that load is made with: as when a workload is scaled up, and
	// each of its pods is judged while those before it wait for a node.
	Burst = "burst"
)

// Spec says what a fleet is like.
type Spec struct {
	Nodes int    `json:"nodes"`
	Kind  string `json:"kind"`
	// ImagesPerNode is how many images a node lists; the kubelet's own limit is 50.
	ImagesPerNode int `json:"imagesPerNode"`
	// PodsPerNode run on every node; WaitingPods in the whole cluster wait for a node.
	PodsPerNode int `json:"podsPerNode"`
	WaitingPods int `json:"waitingPods"`
}

// Of returns a fleet as issue trackers and surveys describe them: 50 images and 30 pods a node, 100 pods waiting.
func Of(nodes int, kind string) Spec {
	return Spec{Nodes: nodes, Kind: kind, ImagesPerNode: 50, PodsPerNode: 30, WaitingPods: 100}
}

// Validate returns what is wrong with it.
func (s Spec) Validate() error {
	switch {
	case s.Nodes < 1:
		return fmt.Errorf("a fleet needs nodes, got %d", s.Nodes)
	case s.Kind != Roomy && s.Kind != NearlyFull && s.Kind != Burst:
		return fmt.Errorf("the kind of a fleet is %s, %s or %s, got %q", Roomy, NearlyFull, Burst, s.Kind)
	case s.ImagesPerNode < commonImages || s.ImagesPerNode > catalogueSize:
		return fmt.Errorf("a node lists %d to %d images, got %d", commonImages, catalogueSize, s.ImagesPerNode)
	default:
		return nil
	}
}

// Epoch is when everything in a fleet was measured.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const gibibyte = int64(1) << 30

// diskBytes is the size of every node's image file system.
const diskBytes = 200 * gibibyte

// availableBytes is what the disk of node i has left. By the kubelet's defaults pods are evicted below 15 % of the disk.
func (s Spec) availableBytes(i int) int64 {
	const evictionLine = diskBytes / 100 * 15
	spread := int64(scatter(i, 1000)) // 0 to 999 thousandths
	if s.Kind == NearlyFull {
		return evictionLine + 4*gibibyte*spread/1000
	}
	return diskBytes/3 + diskBytes/3*spread/1000
}

// scatter maps numbers to 0..n-1 without any order that neighbours could share.
func scatter(i, n int) int {
	x := uint64(i)*0x9E3779B97F4A7C15 + 0x7F4A7C15 //nolint:gosec // G115: any bits will do
	x ^= x >> 31
	return int(x % uint64(n)) //nolint:gosec // G115: n is positive
}
