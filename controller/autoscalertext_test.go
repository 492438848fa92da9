// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
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
	} {
		t.Run(what, func(t *testing.T) {
			want := ledger.Autoscaler{Present: true, Groups: c.want}
			if diff := cmp.Diff(want, AutoscalerOf(&corev1.ConfigMap{Data: c.data})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
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
