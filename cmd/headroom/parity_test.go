// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
	"github.com/headroom-dev/headroom/webhook"
	"github.com/headroom-dev/headroom/workload"
)

// parityObjects are of every kind that makes pods, and of what is special about single ones. IMAGE stands for each of several.
var parityObjects = map[string]string{
	"a Pod":                              `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: SPEC}`,
	"a Pod in a namespace that tightens": `{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: strict}, spec: SPEC}`,
	"a Pod in one that asks for less":    `{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: lax}, spec: SPEC}`,
	"a Pod in an exempt namespace":       `{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: kube-public}, spec: SPEC}`,
	"a Pod of an exempt priority class":  `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {priorityClassName: system-node-critical, containers: [{name: c, image: IMAGE}]}}`,
	"a Pod with an exception":            `{apiVersion: v1, kind: Pod, metadata: {name: x, labels: {excepted: "yes"}}, spec: SPEC}`,
	"a Pod on one node":                  `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {nodeName: full, containers: [{name: c, image: IMAGE}]}}`,
	"a Pod on a node that is not there":  `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {nodeName: gone, containers: [{name: c, image: IMAGE}]}}`,
	"a Pod that no node can take":        `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {nodeSelector: {no: such}, containers: [{name: c, image: IMAGE}]}}`,
	"a Pod with an image volume":         `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {volumes: [{name: v, image: {reference: IMAGE}}], containers: [{name: c, image: "example.com/small:1"}]}}`,
	"a Pod with a name that is none":     `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: c, image: IMAGE}, {name: d, image: "UPPER//"}]}}`,
	"a Deployment":                       `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: 1, template: {spec: SPEC}}}`,
	"a Deployment of many":               `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: 9, template: {spec: SPEC}}}`,
	"a Deployment of none":               `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: 0, template: {spec: SPEC}}}`,
	"a Deployment with an exception":     `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {metadata: {labels: {excepted: "yes"}}, spec: SPEC}}}`,
	"a Deployment where it is off":       `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, namespace: kube-public}, spec: {template: {spec: SPEC}}}`,
	"a StatefulSet":                      `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {replicas: 2, template: {spec: SPEC}}}`,
	"a ReplicaSet":                       `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: x}, spec: {replicas: 2, template: {spec: SPEC}}}`,
	"a DaemonSet":                        `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: x}, spec: {template: {spec: SPEC}}}`,
	"a ReplicationController":            `{apiVersion: v1, kind: ReplicationController, metadata: {name: x}, spec: {template: {spec: SPEC}}}`,
	"a PodTemplate":                      `{apiVersion: v1, kind: PodTemplate, metadata: {name: x}, template: {spec: SPEC}}`,
	"a Job":                              `{apiVersion: batch/v1, kind: Job, metadata: {name: x}, spec: {parallelism: 5, completions: 3, template: {spec: SPEC}}}`,
	"a CronJob":                          `{apiVersion: batch/v1, kind: CronJob, metadata: {name: x}, spec: {jobTemplate: {spec: {template: {spec: SPEC}}}}}`,
	"a kind of one's own":                `{apiVersion: example.com/v1, kind: Rollout, metadata: {name: x}, spec: {count: 3, pods: {spec: SPEC}}}`,
}

const parityPolicy = `apiVersion: headroom.dev/v1alpha1
kind: Policy
mode: MODE
images: [{match: 'example.com/huge:*', size: 20Gi}, {match: 'example.com/big:*', size: 5Gi}, {match: 'example.com/small:*', size: 100Mi}]
nodePools: [{name: all, selector: {}, elastic: false}]
workloads: [{apiVersion: example.com/v1, kind: Rollout, resource: rollouts, template: spec.pods, replicas: spec.count}]
exceptions: [{name: known, labels: {matchLabels: {excepted: "yes"}}, reason: a test, until: 2100-01-01}]
`

// TestCheckSaysWhatTheWebhookSays: for the same objects and one snapshot, `headroom check` and the webhook have one verdict,
// one action and one sentence.
func TestCheckSaysWhatTheWebhookSays(t *testing.T) {
	w := ledgertest.New(t)
	w.Node("full", ledgertest.Disk(10<<30, 2<<30))
	w.Node("roomy", ledgertest.Disk(10<<30, 8<<30))
	snapshot := w.Ledger.Snapshot()
	modes := map[string]string{"strict": "Enforce", "lax": "Off"}
	said := 0
	for _, mode := range []string{"Audit", "Warn", "Enforce"} {
		p, _, err := policy.Load([]byte(strings.ReplaceAll(parityPolicy, "MODE", mode)), true)
		if err != nil {
			t.Fatal(err)
		}
		cluster := &moment{snapshot: snapshot, policy: p, modes: modes, now: w.Now}
		server := handlers(webhook.HandlerOptions{
			Evaluator: fit.Evaluator{
				Snapshot: func() *ledger.Snapshot { return snapshot },
				Policy:   func() *policy.Policy { return p },
				Clock:    func() time.Time { return w.Now },
			},
			NamespaceMode: func(namespace string) string { return modes[namespace] },
			Templates:     func(kind schema.GroupVersionKind) *workload.Paths { return pathsOf(p, kind) },
		}, webhook.Bindings{}, webhook.Cluster{})
		for name, text := range parityObjects {
			for _, image := range []string{"example.com/huge:1", "example.com/big:1", "example.com/small:1", "example.com/unknown:1"} {
				t.Run(mode+", "+name+", "+image, func(t *testing.T) {
					text := strings.NewReplacer("SPEC", "{containers: [{name: c, image: IMAGE}]}").Replace(text)
					text = strings.ReplaceAll(text, "IMAGE", `"`+image+`"`)
					checked := check(t, cluster, text)
					reviewed := review(t, server, text)
					if !reviewed.exempt && checked.Verdict != reviewed.Verdict || checked.Action != reviewed.Action {
						t.Errorf("check says %s, %s; the webhook %s, %s", checked.Verdict, checked.Action, reviewed.Verdict, reviewed.Action)
					}
					if reviewed.Message == "" {
						return // nobody was told anything
					}
					said++
					if diff := cmp.Diff(checked.Message, reviewed.Message); diff != "" {
						t.Errorf("sentence (-check +webhook):\n%s", diff)
					}
				})
			}
		}
	}
	if said < 40 {
		t.Errorf("only %d sentences were compared", said)
	}
}

// answer is what both say.
type answer struct {
	Verdict verdict.Verdict
	Action  fit.Action
	Message string
	// exempt: the webhook does not name the verdict of what it does not judge.
	exempt bool
}

func check(t *testing.T, cluster *moment, text string) answer {
	t.Helper()
	m := readManifests([]string{"-"}, strings.NewReader(text), "default")
	m.resolve(cluster.policy)
	report, _, _ := checkPods(cluster, m.pods)
	if len(report.Results) != 1 || len(m.problems) > 0 {
		t.Fatalf("%d results, problems %v", len(report.Results), m.problems)
	}
	r := report.Results[0]
	return answer{Verdict: r.Verdict, Action: r.Action, Message: r.Message}
}

// review posts the creation of the object to the webhook that it is for.
func review(t *testing.T, server http.Handler, text string) answer {
	t.Helper()
	object, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(object, &meta); err != nil {
		t.Fatal(err)
	}
	kind := meta.GroupVersionKind()
	path, resource := webhook.WorkloadsPath, strings.ToLower(kind.Kind)+"s"
	if kind.Kind == "Pod" {
		path = webhook.PodsPath
	}
	request := &admissionv1.AdmissionRequest{
		UID: "u", Operation: admissionv1.Create, Kind: metav1.GroupVersionKind(kind), Name: meta.Name, Namespace: meta.Namespace,
		Resource: metav1.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: resource},
	}
	if request.Namespace == "" {
		request.Namespace = "default"
	}
	request.Object.Raw = object
	body, err := json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: request,
	})
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body)))
	var answered admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answered); err != nil || answered.Response == nil {
		t.Fatalf("HTTP %d, %v: %s", recorder.Code, err, recorder.Body)
	}
	r := answered.Response
	a := answer{
		Verdict: verdict.Verdict(r.AuditAnnotations["verdict"]), Action: fit.Action(r.AuditAnnotations["action"]), Message: r.AuditAnnotations["message"],
		exempt: r.AuditAnnotations["exempt"] != "",
	}
	switch {
	case !r.Allowed:
		a.Message = r.Result.Message
	case len(r.Warnings) > 0:
		a.Message = r.Warnings[0]
	}
	return a
}
