// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/ledger"
)

const statusYAML = `time: "2026-01-02 03:04:05.678 +0000 UTC"
autoscalerStatus: Running
clusterWide:
  health:
    status: Healthy
    nodeCounts:
      registered: {total: 3, ready: 3, notStarted: 0}
nodeGroups:
- name: pool-web
  health:
    status: Healthy
    nodeCounts:
      registered:
        total: 3
        ready: 2
        unready: {total: 1, resourceUnready: 0}
      longUnregistered: 0
      unregistered: 1
    cloudProviderTarget: 4
    minSize: 1
    maxSize: 10
    lastProbeTime: "2026-01-02T03:04:05Z"
  scaleUp:
    status: NoActivity
- name: pool-gpu
  health:
    status: Healthy
    nodeCounts:
      registered: {total: 0}
    cloudProviderTarget: 0
    minSize: 0
    maxSize: 4
`

const statusText = `Cluster-autoscaler status at 2023-01-02 03:04:05.678 +0000 UTC:
Cluster-wide:
  Health:      Healthy (ready=3 unready=0 notStarted=0 longNotStarted=0 registered=3 longUnregistered=0)
               LastProbeTime:      2023-01-02 03:04:05.678 +0000 UTC m=+1.0
               LastTransitionTime: 2023-01-02 03:04:05.678 +0000 UTC m=+1.0
  ScaleUp:     NoActivity (ready=3 registered=3)
               LastProbeTime:      2023-01-02 03:04:05.678 +0000 UTC m=+1.0

NodeGroups:
  Name:        https://content.googleapis.com/compute/v1/projects/p/zones/z/instanceGroups/pool-web
  Health:      Healthy (ready=3 unready=0 (resourceUnready=0) notStarted=0 longNotStarted=0 registered=3 longUnregistered=0 cloudProviderTarget=4 (minSize=1, maxSize=10))
               LastProbeTime:      2023-01-02 03:04:05.678 +0000 UTC m=+1.0
  ScaleUp:     NoActivity (ready=3 cloudProviderTarget=4)
  ScaleDown:   NoCandidates (candidates=0)

  Name:        pool-gpu
  Health:      Healthy (ready=0 unready=0 notStarted=0 longNotStarted=0 registered=0 longUnregistered=0 cloudProviderTarget=0 (minSize=0, maxSize=4))
`

func TestAutoscalerOf(t *testing.T) {
	web, gpu := ledger.NodeGroup{Name: "pool-web", Nodes: 3, MaxNodes: 10}, ledger.NodeGroup{Name: "pool-gpu", MaxNodes: 4}
	longWeb := ledger.NodeGroup{Name: "https://content.googleapis.com/compute/v1/projects/p/zones/z/instanceGroups/pool-web", Nodes: 3, MaxNodes: 10}
	for what, c := range map[string]struct {
		data map[string]string
		want []ledger.NodeGroup
	}{
		"the YAML of 1.30":                  {map[string]string{"status": statusYAML}, []ledger.NodeGroup{web, gpu}},
		"the text before that":              {map[string]string{"status": statusText}, []ledger.NodeGroup{longWeb, gpu}},
		"one that is starting":              {map[string]string{"status": "autoscalerStatus: Initializing\n"}, nil},
		"one that is starting, before 1.30": {map[string]string{"status": "Cluster-autoscaler status at 2023-01-02 03:04:05 +0000 UTC:\nInitializing"}, nil},
		"JSON":                              {map[string]string{"status": `{"nodeGroups": [{"name": "a", "health": {"maxSize": 1}}]}`}, []ledger.NodeGroup{{Name: "a", MaxNodes: 1}}},
		"figures that can't be":             {map[string]string{"status": "autoscalerStatus: Running\nnodeGroups: [{name: a, health: {maxSize: -1, nodeCounts: {registered: {total: -5}}}}]"}, []ledger.NodeGroup{{Name: "a"}}},
		"a health line without a name":      {map[string]string{"status": "  Health: Healthy (registered=0 cloudProviderTarget=0 (minSize=0, maxSize=4))"}, nil},
		"a name without a health line":      {map[string]string{"status": "  Name: a\n  Name: b\n  Health: Healthy (registered=1 (minSize=0, maxSize=4))"}, []ledger.NodeGroup{{Name: "b", Nodes: 1, MaxNodes: 4}}},
		"a type that is another":            {map[string]string{"status": "autoscalerStatus: Running\nnodeGroups: none"}, nil},
		"nothing":                           {nil, nil},
		"text with figures that can't be":   {map[string]string{"status": "  Name: a\n  Health: Healthy (registered=0 (minSize=0, maxSize=99999999999999999999))"}, []ledger.NodeGroup{{Name: "a", MaxNodes: math.MaxInt}}},
		"text with odd names":               {map[string]string{"status": "  Name: a b: \u202e\r\n  Health: (registered=1 maxSize=4)\r\n  Name: c\n  Health: (registered=1 maxSize=4)"}, []ledger.NodeGroup{{Name: "a b: \u202e", Nodes: 1, MaxNodes: 4}, {Name: "c", Nodes: 1, MaxNodes: 4}}},
		"YAML with odd names":               {map[string]string{"status": `{"nodeGroups": [{"name": 12, "health": {"maxSize": 1}}, {"name": null, "health": {"maxSize": 1}}, {"name": "a\nb", "health": {"maxSize": 1}}]}`}, []ledger.NodeGroup{{Name: "12", MaxNodes: 1}, {MaxNodes: 1}, {Name: "a\nb", MaxNodes: 1}}},
		"YAML with figures that can't be":   {map[string]string{"status": "nodeGroups: [{name: a, health: {maxSize: 99999999999999999999}}]"}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			want := ledger.Autoscaler{Present: true, Groups: c.want}
			if diff := cmp.Diff(want, AutoscalerOf(&corev1.ConfigMap{Data: c.data})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What somebody made to be hard to read costs no more than its size; the autoscaler is there all the same.
func TestHostileAutoscalerStatus(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("autoscalerStatus: Running\na: &a [x,x,x,x,x,x,x,x,x]\n")
	for key := 'b'; key < 'j'; key++ {
		fmt.Fprintf(&bomb, "%c: &%c [%s*%c]\n", key, key, strings.Repeat(fmt.Sprintf("*%c,", key-1), 8), key-1)
	}
	const mebibyte = 1 << 20
	fill := func(before, repeated, after string) string {
		return before + strings.Repeat(repeated, (mebibyte-len(before)-len(after))/len(repeated)) + after
	}
	for what, c := range map[string]struct {
		text   string
		groups int
	}{
		"aliases of aliases":       {bomb.String(), 0},
		"deep lists":               {fill("autoscalerStatus: Running\nx: ", "[", ""), 0},
		"keys of keys":             {fill("", "? ", ""), 0},
		"very many groups":         {fill("autoscalerStatus: Running\nnodeGroups: [", "{name: a, health: {maxSize: 1}},", "]"), 32766},
		"very many groups, text":   {fill("", "  Name: a\n  Health: (registered=1 maxSize=2)\n", ""), 23301},
		"one line":                 {fill("  Name: a\n", "registered=1 ", ""), 0},
		"a name that never begins": {fill("  Name:", " ", ""), 0},
		"a very long name":         {fill("  Name: ", "a", "\n  Health: (registered=1 maxSize=2)"), 1},
	} {
		t.Run(what, func(t *testing.T) {
			if len(c.text) > mebibyte {
				t.Fatalf("%d bytes are more than a ConfigMap has", len(c.text))
			}
			a := AutoscalerOf(autoscalerStatusOf(c.text))
			if !a.Present || len(a.Groups) != c.groups {
				t.Errorf("present %v, %d groups, want %d", a.Present, len(a.Groups), c.groups)
			}
		})
	}
}

func FuzzNodeGroups(f *testing.F) {
	f.Add(statusYAML)
	f.Add(statusText)
	f.Add("  Name: a\n Health: registered=999999999 maxSize=0")
	f.Fuzz(func(t *testing.T, text string) {
		for _, g := range nodeGroups(text) {
			if g.Nodes < 0 || g.MaxNodes < 0 {
				t.Errorf("%+v", g)
			}
		}
	})
}
