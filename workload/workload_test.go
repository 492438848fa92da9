// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/workload"
)

// made is what a test compares of a workload.
type made struct {
	Kind, Name string
	Replicas   int
	EveryNode  bool
	Suspended  bool
	Images     string
	// Field is where the first image is.
	Field string
}

const spec = "{containers: [{name: c, image: a}]}"

func decode(t *testing.T, kind schema.GroupVersionKind, text string, custom *workload.Paths) (*workload.Workload, error) {
	t.Helper()
	object, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return workload.Decode(kind, object, custom)
}

var rollout = schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"}

func kindOf(apiVersion, kind string) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(apiVersion, kind)
}

func TestWhichPodsAnObjectMakes(t *testing.T) {
	paths := &workload.Paths{Template: []string{"spec", "template"}, Replicas: []string{"spec", "replicas"}}
	deep := &workload.Paths{Template: []string{"spec", "a", "b"}, Replicas: []string{"status", "count"}}
	cases := map[string]struct {
		kind   schema.GroupVersionKind
		text   string
		custom *workload.Paths
		want   made
	}{
		"a Deployment": {
			kind: kindOf("apps/v1", "Deployment"), text: "{metadata: {name: web}, spec: {replicas: 3, template: {spec: " + spec + "}}}",
			want: made{Kind: "Deployment", Name: "web", Replicas: 3, Images: "a"},
		},
		"one whose name comes later": {
			kind: kindOf("apps/v1", "Deployment"), text: "{metadata: {generateName: web-}, spec: {template: {spec: " + spec + "}}}",
			want: made{Kind: "Deployment", Name: "web-", Replicas: 1, Images: "a"},
		},
		"one that wants no pods": {
			kind: kindOf("apps/v1", "Deployment"), text: "{spec: {replicas: 0, template: {spec: " + spec + "}}}",
			want: made{Kind: "Deployment", Images: "a"},
		},
		"fewer than none are none": {
			kind: kindOf("apps/v1", "Deployment"), text: "{spec: {replicas: -3, template: {spec: " + spec + "}}}",
			want: made{Kind: "Deployment", Images: "a"},
		},
		"a StatefulSet": {
			kind: kindOf("apps/v1", "StatefulSet"), text: "{spec: {replicas: 2, template: {spec: " + spec + "}}}",
			want: made{Kind: "StatefulSet", Replicas: 2, Images: "a"},
		},
		"a ReplicaSet": {
			kind: kindOf("apps/v1", "ReplicaSet"), text: "{spec: {replicas: 2, template: {spec: " + spec + "}}}",
			want: made{Kind: "ReplicaSet", Replicas: 2, Images: "a"},
		},
		"a DaemonSet wants each node": {
			kind: kindOf("apps/v1", "DaemonSet"), text: "{spec: {template: {spec: " + spec + "}}}",
			want: made{Kind: "DaemonSet", EveryNode: true, Images: "a"},
		},
		"a ReplicationController": {
			kind: kindOf("v1", "ReplicationController"), text: "{spec: {replicas: 2, template: {spec: " + spec + "}}}",
			want: made{Kind: "ReplicationController", Replicas: 2, Images: "a"},
		},
		"a PodTemplate is for one": {
			kind: kindOf("v1", "PodTemplate"), text: "{metadata: {name: web}, template: {spec: " + spec + "}}",
			want: made{Kind: "PodTemplate", Name: "web", Replicas: 1, Images: "a", Field: "template.spec.containers[0].image"},
		},
		"a Job": {
			kind: kindOf("batch/v1", "Job"), text: "{spec: {template: {spec: " + spec + "}}}",
			want: made{Kind: "Job", Replicas: 1, Images: "a"},
		},
		"a Job that many work for": {
			kind: kindOf("batch/v1", "Job"), text: "{spec: {parallelism: 4, template: {spec: " + spec + "}}}",
			want: made{Kind: "Job", Replicas: 4, Images: "a"},
		},
		"no more work at a time than has to succeed": {
			kind: kindOf("batch/v1", "Job"), text: "{spec: {parallelism: 4, completions: 2, template: {spec: " + spec + "}}}",
			want: made{Kind: "Job", Replicas: 2, Images: "a"},
		},
		"a Job that waits": {
			kind: kindOf("batch/v1", "Job"), text: "{spec: {suspend: true, template: {spec: " + spec + "}}}",
			want: made{Kind: "Job", Replicas: 1, Suspended: true, Images: "a"},
		},
		"a CronJob": {
			kind: kindOf("batch/v1", "CronJob"), text: "{spec: {jobTemplate: {spec: {parallelism: 4, completions: 9, template: {spec: " + spec + "}}}}}",
			want: made{Kind: "CronJob", Replicas: 4, Images: "a", Field: "spec.jobTemplate.spec.template.spec.containers[0].image"},
		},
		"a CronJob that waits": {
			kind: kindOf("batch/v1", "CronJob"), text: "{spec: {suspend: true, jobTemplate: {spec: {template: {spec: " + spec + "}}}}}",
			want: made{Kind: "CronJob", Replicas: 1, Suspended: true, Images: "a", Field: "spec.jobTemplate.spec.template.spec.containers[0].image"},
		},
		"a kind of one's own": {
			kind: rollout, custom: paths, text: "{metadata: {name: web}, spec: {replicas: 5, template: {spec: " + spec + "}}}",
			want: made{Kind: "Rollout", Name: "web", Replicas: 5, Images: "a"},
		},
		"one that says nothing of replicas": {
			kind: rollout, custom: deep, text: "{metadata: {name: web}, spec: {a: {b: {spec: " + spec + "}}}, status: null}",
			want: made{Kind: "Rollout", Name: "web", Replicas: 1, Images: "a", Field: "spec.a.b.spec.containers[0].image"},
		},
		"more than anybody counts": {
			kind: rollout, custom: paths, text: "{spec: {replicas: 9000000000000000000, template: {spec: " + spec + "}}}",
			want: made{Kind: "Rollout", Replicas: 1<<31 - 1, Images: "a"},
		},
		"what Kubernetes has is read as such, whatever anybody says": {
			kind: kindOf("apps/v1", "DaemonSet"), custom: deep, text: "{spec: {template: {spec: " + spec + "}}}",
			want: made{Kind: "DaemonSet", EveryNode: true, Images: "a"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, err := decode(t, tc.kind, tc.text, tc.custom)
			if err != nil {
				t.Fatal(err)
			}
			var images []string
			for _, c := range w.Template.Spec.Containers {
				images = append(images, c.Image)
			}
			if tc.want.Field == "" {
				tc.want.Field = "spec.template.spec.containers[0].image"
			}
			w.Template.Spec.Containers[0].Image = "UPPER"
			got := made{w.Kind, w.Name(), w.Replicas, w.EveryNode, w.Suspended, strings.Join(images, " "), w.Request().Invalid[0].Field}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("workload (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoWorkload(t *testing.T) {
	paths := &workload.Paths{Template: []string{"spec", "template"}, Replicas: []string{"spec", "replicas"}}
	cases := map[string]struct {
		kind    schema.GroupVersionKind
		text    string
		custom  *workload.Paths
		is      error
		wantErr string
	}{
		"a kind that nobody knows":           {kind: rollout, text: "{}", is: workload.ErrUnknownKind},
		"a kind that makes no pods":          {kind: kindOf("v1", "ConfigMap"), text: "{}", is: workload.ErrUnknownKind},
		"another version":                    {kind: kindOf("apps/v2", "Deployment"), text: "{}", is: workload.ErrUnknownKind},
		"a controller without a template":    {kind: kindOf("v1", "ReplicationController"), text: "{}", is: workload.ErrNoTemplate},
		"one of one's own without":           {kind: rollout, custom: paths, text: "{spec: {workloadRef: {}}}", is: workload.ErrNoTemplate},
		"one whose template is null":         {kind: rollout, custom: paths, text: "{spec: {template: null}}", is: workload.ErrNoTemplate},
		"one of which nobody knows where":    {kind: rollout, custom: &workload.Paths{}, text: "{}", is: workload.ErrNoTemplate},
		"a type that does not fit":           {kind: kindOf("apps/v1", "Deployment"), text: "{spec: {replicas: many}}", wantErr: "spec.replicas of type int32"},
		"a path through what is no object":   {kind: rollout, custom: paths, text: "{spec: [1]}", wantErr: "spec is not an object"},
		"a template that is none":            {kind: rollout, custom: paths, text: "{spec: {template: 7}}", wantErr: "spec.template is not a pod template"},
		"replicas that are no number":        {kind: rollout, custom: paths, text: "{spec: {replicas: 50%, template: {}}}", wantErr: "spec.replicas is not a whole number"},
		"metadata that is none":              {kind: rollout, custom: paths, text: "{metadata: 7}", wantErr: "metadata"},
		"no object at all":                   {kind: rollout, custom: paths, text: "[]", wantErr: "cannot unmarshal array"},
		"no object of a kind that one knows": {kind: kindOf("batch/v1", "Job"), text: "7", wantErr: "cannot unmarshal number"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w, err := decode(t, tc.kind, tc.text, tc.custom)
			if err == nil || w != nil {
				t.Fatalf("got %+v, %v, want an error alone", w, err)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("error %v, want %v", err, tc.is)
			}
			if !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("error %v, want one with %q", err, tc.wantErr)
			}
		})
	}
}

func TestTheQuestionAboutItsPods(t *testing.T) {
	w, err := decode(t, kindOf("apps/v1", "Deployment"), `{metadata: {name: web, namespace: team-a, labels: {own: label}}, spec: {replicas: 3, template: {
		metadata: {name: ignored, namespace: ignored, uid: ignored, labels: {app: web}}, spec: {nodeName: n1, priorityClassName: high, containers: [{name: c, image: nginx}]}}}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := w.Request()
	if r.Namespace != "team-a" || r.Name != "web" || r.UID != "" || r.Labels["app"] != "web" || r.PriorityClass != "high" ||
		len(r.Images) != 1 || r.Placement.NodeName() != "n1" {
		t.Errorf("request %+v", r)
	}
	if r.Workload == nil || r.Workload.Kind != "Deployment" || r.Workload.Replicas != 3 || r.Workload.EveryNode {
		t.Errorf("workload %+v", r.Workload)
	}
	daemon, err := decode(t, kindOf("apps/v1", "DaemonSet"), "{spec: {template: {spec: "+spec+"}}}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := daemon.Request(); !d.Workload.EveryNode || d.Placement.Key() == r.Placement.Key() {
		t.Errorf("a DaemonSet's request %+v, want each node, with its controller's tolerations", d)
	}
}
