// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package disk models what happens on one node's image file system: pulls that
// take bytes away gradually, the kubelet's image garbage collection, and its
// eviction manager.
//
// Contract: pure and deterministic. There is no clock, no API and no goroutine;
// every step takes the time as an argument, and the same steps at the same times
// give the same events. One [Node.Advance] over an hour and 3,600 of a second
// each give the same events at the same times. A Node is not safe for concurrent
// use.
//
// Units: sizes are bytes, percents are 0 to 100, rates are bytes per second.
// "Reported" bytes are what a containerd node says in node.status.images: the
// compressed size. "Disk" bytes are what the file system loses.
//
// Where a rule comes from Kubernetes 1.37, the comment names the kubelet
// function. What the model leaves out on purpose: inodes, memory and PID
// pressure, parallel pulls, local-storage limits of single pods, the split
// container file system, and everything a registry does besides sending bytes.
//
// That the rules are a real kubelet's is not taken on trust: testdata/recorded
// has sequences of steps with what real kubelets did, which the tests replay.
// TestSequences in test/e2e does the same on real nodes and with -update records
// it anew. One thing is left to luck there and settled here: a kubelet that
// starts nearly always runs its first garbage collection before it has
// statistics, so that here it always fails.
package disk
