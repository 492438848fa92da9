// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

// recorder is an EventSink that keeps what it gets.
type recorder struct {
	events []Event
}

func (r *recorder) Record(e Event) { r.events = append(r.events, e) }

// sampled is one sample of a disk of 100 GiB.
type sampled struct {
	minute    int
	available int64 // GiB
	uid       string
}

// twoLines has image GC below 20 GiB of that disk, eviction below 15 GiB.
var twoLines = ledger.Lines{GCHighPercent: 81, Thresholds: []ledger.Threshold{{Signal: ledger.ImageFSAvailable, Bytes: 15 << 30}}}

func TestLineWatch(t *testing.T) {
	const (
		belowGC  = "image storage: 19Gi of 100Gi available, below the line of 20Gi: the kubelet trims the least recently used images"
		evicting = "image storage: 14Gi of 100Gi available, below the line of 15Gi: the kubelet reports DiskPressure, deletes unused images and may evict pods"
		between  = "image storage: 16Gi of 100Gi available, above the eviction line of 15Gi again, still below the image GC line of 20Gi"
	)
	above := func(n string) string {
		return "image storage: " + n + "Gi of 100Gi available, above the line of 20Gi again"
	}
	for name, test := range map[string]struct {
		samples []sampled
		want    []string
	}{
		"plenty":                                    {[]sampled{{0, 50, "1"}, {1, 21, "1"}, {2, 20, "1"}}, nil},
		"down below the GC line":                    {[]sampled{{0, 50, "1"}, {1, 19, "1"}, {2, 19, "1"}, {60, 15, "1"}}, []string{belowGC}},
		"straight below the eviction line":          {[]sampled{{0, 50, "1"}, {1, 14, "1"}}, []string{evicting}},
		"below a line when first seen":              {[]sampled{{0, 14, "1"}}, []string{evicting}},
		"and back":                                  {[]sampled{{0, 14, "1"}, {20, 40, "1"}}, []string{evicting, above("40")}},
		"back by less than the hysteresis":          {[]sampled{{0, 19, "1"}, {20, 20, "1"}, {40, 21, "1"}}, []string{belowGC, above("21")}},
		"from the eviction line to between":         {[]sampled{{0, 14, "1"}, {20, 15, "1"}, {40, 16, "1"}}, []string{evicting, between}},
		"one in ten minutes, the latest state then": {[]sampled{{0, 19, "1"}, {2, 14, "1"}, {9, 14, "1"}, {10, 14, "1"}}, []string{belowGC, evicting}},
		"down and up within ten minutes":            {[]sampled{{0, 19, "1"}, {2, 40, "1"}, {4, 15, "1"}, {15, 15, "1"}}, []string{belowGC}},
		"another node of the same name":             {[]sampled{{0, 14, "1"}, {1, 14, "2"}}, []string{evicting, evicting}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			w := NewLineWatch(r)
			for _, s := range test.samples {
				w.Sampled("a", sample(s), twoLines)
			}
			var got []string
			for _, e := range r.events {
				got = append(got, e.Message)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLineWatchWithoutLines(t *testing.T) {
	r := &recorder{}
	w := NewLineWatch(r)
	w.Sampled("a", sample(sampled{0, 0, "1"}), ledger.Lines{GCOff: true})
	if len(r.events) != 0 {
		t.Errorf("a kubelet that does nothing gives %v", r.events)
	}
	w.NodeDeleted("a", "other")
	w.NodeDeleted("a", "1")
	if len(w.nodes) != 0 {
		t.Errorf("left behind: %v", w.nodes)
	}
}

func TestReplicasGiveOneCrossingOneName(t *testing.T) {
	name := func(second int) string {
		r := &recorder{}
		m := sample(sampled{0, 14, "1"})
		m.ReceivedAt = m.ReceivedAt.Add(time.Duration(second) * time.Second)
		NewLineWatch(r).Sampled("a", m, ledger.DefaultLines())
		return eventObject(r.events[0]).Name
	}
	if a, b := name(0), name(45); a != b {
		t.Errorf("names %q and %q of two replicas", a, b)
	}
	if a, b := name(0), name(3600); a == b {
		t.Errorf("name %q also an hour later", a)
	}
}

func sample(s sampled) ledger.Measurement {
	return ledger.Measurement{
		NodeUID: types.UID(s.uid), CapacityBytes: 100 << 30, AvailableBytes: s.available << 30, ReceivedAt: t0.Add(time.Duration(s.minute) * time.Minute),
	}
}
