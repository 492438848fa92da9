// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload_test

import "testing"

func TestWhatIsAChange(t *testing.T) {
	const before = "{replicas: 2, template: {spec: {nodeSelector: {}, containers: [{name: c, image: a}]}}}"
	cases := map[string]struct {
		kind, before, after string
		want                bool
	}{
		"nothing":                   {after: before},
		"a label of the template":   {after: "{replicas: 2, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: a}]}}}"},
		"a variable":                {after: "{replicas: 2, template: {spec: {containers: [{name: c, image: a, env: [{name: x}]}]}}}"},
		"an image":                  {after: "{replicas: 2, template: {spec: {containers: [{name: c, image: b}]}}}", want: true},
		"one image more":            {after: "{replicas: 2, template: {spec: {containers: [{name: c, image: a}, {name: d, image: a}]}}}", want: true},
		"an init container's image": {after: "{replicas: 2, template: {spec: {initContainers: [{name: i, image: a}], containers: [{name: c, image: a}]}}}", want: true},
		"an image volume":           {after: "{replicas: 2, template: {spec: {volumes: [{name: v, image: {reference: b}}], containers: [{name: c, image: a}]}}}", want: true},
		"another volume":            {after: "{replicas: 2, template: {spec: {volumes: [{name: v, emptyDir: {}}], containers: [{name: c, image: a}]}}}"},
		"a selector":                {after: "{replicas: 2, template: {spec: {nodeSelector: {a: b}, containers: [{name: c, image: a}]}}}", want: true},
		"a toleration":              {after: "{replicas: 2, template: {spec: {tolerations: [{key: k}], containers: [{name: c, image: a}]}}}", want: true},
		"an affinity":               {after: "{replicas: 2, template: {spec: {affinity: {nodeAffinity: {}}, containers: [{name: c, image: a}]}}}", want: true},
		"a node":                    {after: "{replicas: 2, template: {spec: {nodeName: node-1, containers: [{name: c, image: a}]}}}", want: true},
		"an operating system":       {after: "{replicas: 2, template: {spec: {os: {name: linux}, containers: [{name: c, image: a}]}}}", want: true},
		"a spread":                  {after: "{replicas: 2, template: {spec: {topologySpreadConstraints: [{maxSkew: 1}], containers: [{name: c, image: a}]}}}", want: true},
		"more replicas":             {after: "{replicas: 3, template: {spec: {containers: [{name: c, image: a}]}}}", want: true},
		"fewer replicas":            {after: "{replicas: 1, template: {spec: {containers: [{name: c, image: a}]}}}"},
		"a job that may begin":      {kind: "Job", before: "{suspend: true, template: {}}", after: "{template: {}}", want: true},
		"a job that has to wait":    {kind: "Job", before: "{template: {}}", after: "{suspend: true, template: {}}"},
		"more of a job at a time":   {kind: "Job", before: "{parallelism: 1, template: {}}", after: "{parallelism: 2, template: {}}", want: true},
		"a cron job that may begin": {kind: "CronJob", before: "{suspend: true, jobTemplate: {}}", after: "{jobTemplate: {}}", want: true},
		"a cron job's time":         {kind: "CronJob", before: "{schedule: daily, jobTemplate: {}}", after: "{schedule: hourly, jobTemplate: {}}"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kind := kindOf("batch/v1", tc.kind)
			if tc.kind == "" {
				kind, tc.before = kindOf("apps/v1", "Deployment"), before
			}
			old, err := decode(t, kind, "{spec: "+tc.before+"}", nil)
			if err != nil {
				t.Fatal(err)
			}
			now, err := decode(t, kind, "{spec: "+tc.after+"}", nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := now.Changed(old); got != tc.want {
				t.Errorf("changed is %v, want %v", got, tc.want)
			}
		})
	}
}
