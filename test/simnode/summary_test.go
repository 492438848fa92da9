// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

func TestSummaryIsTheLastSampleAndSaysWhen(t *testing.T) {
	f := startFleet(t, Options{Client: fakeClient(map[string][]string{"stats": {"get nodes/stats"}})})
	n := f.Nodes()[0]
	status, body, header := request(t, httpClient(t, f), "GET", n.URL()+"/stats/summary", "token-stats")
	var s statsv1alpha1.Summary
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != 200 {
		t.Fatalf("%d %q: %v", status, body, err)
	}
	if header.Get("Date") == "" {
		t.Error("the answer has no Date")
	}
	image, node := s.Node.Runtime.ImageFs, s.Node.Fs
	got := []uint64{*image.CapacityBytes, *image.AvailableBytes, *node.CapacityBytes}
	if diff := cmp.Diff([]uint64{1_000_000_000, 800_000_000, 270_000_000_000}, got); diff != "" {
		t.Errorf("image capacity, available, node capacity (-want +got):\n%s", diff)
	}
	if want := n.started.Truncate(time.Second); !node.Time.Equal(&s.Node.StartTime) || !node.Time.Time.Equal(want) {
		t.Errorf("sampled at %v, want the start %v: asking takes no sample", node.Time, want)
	}
}

func TestASummaryMayBeAsLargeAsABusyNodes(t *testing.T) {
	f := startFleet(t, Options{
		Client: fakeClient(map[string][]string{"stats": {"get nodes/stats"}}),
		Nodes:  []NodeSpec{{Name: "n1", Config: disk.Config{DiskBytes: 1e9}, OtherPods: 110}},
	})
	_, body, _ := request(t, httpClient(t, f), "GET", f.Nodes()[0].URL()+"/stats/summary", "token-stats")
	var s statsv1alpha1.Summary
	if err := json.Unmarshal([]byte(body), &s); err != nil || len(s.Pods) != 110 || !strings.HasPrefix(body, "{\n \"node\": {\n") {
		t.Errorf("%d pods, %v: %.40q", len(s.Pods), err, body)
	}
}
