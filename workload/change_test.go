// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload_test

import (
	"cmp"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/workload"
)

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
		"a pull policy":             {after: "{replicas: 2, template: {spec: {containers: [{name: c, image: a, imagePullPolicy: Never}]}}}", want: true},
		"an image volume's policy":  {before: "{template: {spec: {volumes: [{name: v, image: {reference: b}}]}}}", after: "{template: {spec: {volumes: [{name: v, image: {reference: b, pullPolicy: Never}}]}}}", want: true},
		"a priority class":          {after: "{replicas: 2, template: {spec: {priorityClassName: high, containers: [{name: c, image: a}]}}}", want: true},
		"the node's network":        {after: "{replicas: 2, template: {spec: {hostNetwork: true, containers: [{name: c, image: a}]}}}", want: true},
		"a port of the node":        {after: "{replicas: 2, template: {spec: {containers: [{name: c, image: a, ports: [{hostPort: 80}]}]}}}", want: true},
		"a port":                    {after: "{replicas: 2, template: {spec: {containers: [{name: c, image: a, ports: [{containerPort: 80}]}]}}}"},
		"more replicas":             {after: "{replicas: 3, template: {spec: {containers: [{name: c, image: a}]}}}", want: true},
		"fewer replicas":            {after: "{replicas: 1, template: {spec: {containers: [{name: c, image: a}]}}}"},
		"a job that may begin":      {kind: "Job", before: "{suspend: true, template: {}}", after: "{template: {}}", want: true},
		"a job that has to wait":    {kind: "Job", before: "{template: {}}", after: "{suspend: true, template: {}}"},
		"more of a job at a time":   {kind: "Job", before: "{parallelism: 1, template: {}}", after: "{parallelism: 2, template: {}}", want: true},
		"more of a job may succeed": {kind: "Job", before: "{parallelism: 2, completions: 1, template: {}}", after: "{parallelism: 2, completions: 2, template: {}}", want: true},
		"any number may succeed":    {kind: "CronJob", before: "{jobTemplate: {spec: {parallelism: 4, completions: 2}}}", after: "{jobTemplate: {spec: {parallelism: 4}}}", want: true},
		"more than run at a time":   {kind: "Job", before: "{parallelism: 2, completions: 2, template: {}}", after: "{parallelism: 2, completions: 3, template: {}}"},
		"a cron job's jobs":         {kind: "CronJob", before: "{jobTemplate: {spec: {suspend: true}}}", after: "{jobTemplate: {}}", want: true},
		"a cron job that may begin": {kind: "CronJob", before: "{suspend: true, jobTemplate: {}}", after: "{jobTemplate: {}}", want: true},
		"a cron job's time":         {kind: "CronJob", before: "{schedule: daily, jobTemplate: {}}", after: "{schedule: hourly, jobTemplate: {}}"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kind := kindOf("batch/v1", tc.kind)
			if tc.kind == "" {
				kind, tc.before = kindOf("apps/v1", "Deployment"), cmp.Or(tc.before, before)
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

// TestOfAPod: what a pod tells of its template is what the template itself would tell.
func TestOfAPod(t *testing.T) {
	w, err := decode(t, kindOf("apps/v1", "Deployment"), `{metadata: {name: web, namespace: team-a}, spec: {replicas: 3, template: {
		metadata: {labels: {app: web}}, spec: {nodeSelector: {a: b}, priorityClassName: high, containers: [{name: c, image: nginx, ports: [{hostPort: 80}]}]}}}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-x", Namespace: "team-a", UID: "x", Labels: w.Template.Labels}, Spec: w.Template.Spec}
	pod.Spec.NodeName = "n1"
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "d", Image: "tools"}}}
	told := workload.OfPod("Deployment", w.Meta, 3, pod)
	got, want := told.Request(), w.Request()
	if got.Placement.Key() != want.Placement.Key() || got.Placement.NodeName() != "" {
		t.Error("it is placed elsewhere")
	}
	got.Placement, want.Placement = nil, nil
	if !reflect.DeepEqual(want, got) {
		t.Errorf("request of the pod %+v, of the template %+v", got, want)
	}
	if pod.Spec.NodeName != "n1" || len(pod.Spec.EphemeralContainers) != 1 {
		t.Error("the pod has changed")
	}
	if told.Changed(w) || workload.OfPod("Deployment", w.Meta, -1, pod).Replicas != 0 {
		t.Error("it is not the same workload")
	}
}
