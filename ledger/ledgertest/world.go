// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ledgertest builds small clusters for tests, one line for each thing:
//
//	w := ledgertest.New(t)
//	w.Node("a", ledgertest.Disk(1000, 300), ledgertest.Lists("nginx=100"))
//	w.Pod("web", ledgertest.On("a"), ledgertest.Wants("redis"))
//	account := w.Account("a")
//
// Contract: every call writes one whole row to the ledger at the world's time,
// which only Advance moves. UIDs are the names unless an option says otherwise.
// Sizes are bytes, and [World.View] takes every reported byte for one on disk, so
// that tests can count in small numbers. A mistake in a test ends it.
package ledgertest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// Linux is the platform of nodes for which no option says otherwise.
var Linux = imagesize.Platform{OS: "linux", Architecture: "amd64"}

// World is a ledger and a clock.
type World struct {
	Ledger *ledger.Ledger
	Now    time.Time

	t testing.TB
	// samples are the measurements written last.
	samples map[string]ledger.Measurement
}

// New returns an empty world whose ledger is synced.
func New(t testing.TB) *World {
	w := Unsynced(t)
	w.Ledger.MarkSynced()
	return w
}

// Unsynced returns an empty world whose ledger is not synced yet.
func Unsynced(t testing.TB) *World {
	return &World{
		Ledger: ledger.New(), Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		t: t, samples: make(map[string]ledger.Measurement),
	}
}

// Advance moves the clock.
func (w *World) Advance(d time.Duration) { w.Now = w.Now.Add(d) }

// Node writes a node: Ready, linux/amd64, containerd, 8 cores, 64 GiB, 110 pods,
// no images, and not measured.
func (w *World) Node(name string, options ...NodeOption) {
	w.t.Helper()
	n := &nodeRow{w: w, row: ledger.Node{
		Node: placement.Node{
			Name: name, Labels: map[string]string{corev1.LabelHostname: name}, Ready: true,
			OS: Linux.OS, Architecture: Linux.Architecture,
			Allocatable: placement.Resources{MilliCPU: 8000, MemoryBytes: 64 << 30, Pods: 110},
		},
		UID: types.UID(name), Runtime: imagesize.Containerd, Images: []ledger.ListedImage{},
	}}
	for _, option := range options {
		option(n)
	}
	w.Ledger.SetNode(n.row)
	if n.lines != nil {
		w.Ledger.SetLines(name, n.row.UID, *n.lines)
	}
	if n.capacity != 0 {
		w.sample(name, n.row.UID, n.capacity, n.available)
	}
}

// Sample writes a new measurement, taken now, of a node that had one.
func (w *World) Sample(node string, available int64) {
	w.t.Helper()
	last, found := w.samples[node]
	if !found {
		w.t.Fatalf("node %q was never measured: give it a Disk", node)
	}
	w.sample(node, last.NodeUID, last.CapacityBytes, available)
}

// SampleOf writes a measurement that was taken some time ago on a node whose clock
// is ahead of ours.
func (w *World) SampleOf(node string, available int64, ahead, age time.Duration) {
	w.t.Helper()
	last := w.samples[node]
	last.AvailableBytes, last.SampledAt = available, w.Now.Add(ahead-age)
	last.AgeAtReceipt, last.ReceivedAt = age, w.Now
	w.samples[node] = last
	w.Ledger.SetMeasurement(node, last)
}

func (w *World) sample(node string, uid types.UID, capacity, available int64) {
	m := ledger.Measurement{
		NodeUID: uid, CapacityBytes: capacity, AvailableBytes: available, SampledAt: w.Now, ReceivedAt: w.Now,
	}
	w.samples[node] = m
	w.Ledger.SetMeasurement(node, m)
}

// Pod writes a pod of namespace "team".
func (w *World) Pod(name string, options ...PodOption) {
	w.t.Helper()
	p := &podRow{w: w, row: ledger.Pod{UID: types.UID(name), Namespace: "team", Name: name}}
	for _, option := range options {
		option(p)
	}
	if p.row.NodeName == "" {
		p.row.Placement, p.row.CreatedUnixSeconds = placement.Of(&p.spec), w.Now.Add(p.ahead).Unix()
	}
	w.Ledger.SetPod(p.row, w.Now)
}

// Delete takes away the pod of that UID.
func (w *World) Delete(uid types.UID) { w.Ledger.DeletePod(uid, w.Now) }

// Registry writes what a registry says of an image for linux/amd64.
func (w *World) Registry(image string, compressedBytes int64) {
	w.t.Helper()
	w.Ledger.SetManifest(w.Ref(image), Linux, imagesize.Manifest{CompressedBytes: compressedBytes})
}

// Row returns a node of the ledger as it is now.
func (w *World) Row(node string) *ledger.NodeRow {
	w.t.Helper()
	row, found := w.Ledger.Snapshot().Node(node)
	if !found {
		w.t.Fatalf("the ledger has no node %q", node)
	}
	return row
}

// View looks from namespace "team", now, with the sizes that nodes and the
// registry tell.
func (w *World) View() ledger.View {
	s := w.Ledger.Snapshot()
	return ledger.View{Now: w.Now, Namespace: "team", Size: func(row *ledger.NodeRow, ref imageref.Ref, there imagesize.There) imagesize.Size {
		p := imagesize.Platform{OS: row.OS, Architecture: row.Architecture}
		return s.Evidence(ref, row.Runtime, p).Pull(row.Runtime, &estimate.Factor{Low: 1, Likely: 1, High: 1}, there)
	}}
}

// Account draws up a node's account from View, after changes to it.
func (w *World) Account(node string, changes ...func(*ledger.View)) ledger.Account {
	w.t.Helper()
	view := w.View()
	for _, change := range changes {
		change(&view)
	}
	return w.Ledger.Snapshot().Account(w.Row(node), view)
}

// Ref parses an image name.
func (w *World) Ref(name string) imageref.Ref {
	w.t.Helper()
	ref, err := imageref.Parse(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return ref
}

// listed parses "name=bytes", or several names of one image: "name|name=bytes".
func (w *World) listed(text string) ledger.ListedImage {
	w.t.Helper()
	names, size, _ := strings.Cut(text, "=")
	bytes, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		w.t.Fatalf("image %q: want name=bytes", text)
	}
	image := ledger.ListedImage{ReportedBytes: bytes}
	for name := range strings.SplitSeq(names, "|") {
		image.Refs = append(image.Refs, w.Ref(name))
	}
	image.NameCount = len(image.Refs)
	return image
}
