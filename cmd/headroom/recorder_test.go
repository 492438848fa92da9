// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook"
)

// recordedReviews are of every webhook, and each is said something to. BIG and HUGE stand for pod specs.
var recordedReviews = map[string]string{
	"a pod that is made":     `{operation: CREATE, resource: {version: v1, resource: pods}, kind: {version: v1, kind: Pod}, namespace: team, object: {metadata: {name: x}, spec: HUGE}}`,
	"an image that changes":  `{operation: UPDATE, resource: {version: v1, resource: pods}, kind: {version: v1, kind: Pod}, namespace: team, object: {metadata: {name: x}, spec: {nodeName: full, HUGECONTAINERS}}, oldObject: {metadata: {name: x}, spec: {nodeName: full, containers: []}}}`,
	"a gate that is lifted":  `{operation: UPDATE, resource: {version: v1, resource: pods}, kind: {version: v1, kind: Pod}, namespace: team, object: {metadata: {name: x}, spec: HUGE}, oldObject: {metadata: {name: x}, spec: {schedulingGates: [{name: g}], HUGECONTAINERS}}}`,
	"kubectl debug":          `{operation: UPDATE, subResource: ephemeralcontainers, resource: {version: v1, resource: pods}, kind: {version: v1, kind: Pod}, namespace: strict, object: {metadata: {name: x}, spec: {nodeName: full, ephemeralContainers: [{name: d, image: "example.com/huge:1"}]}}, oldObject: {metadata: {name: x}, spec: {nodeName: full}}}`,
	"a pod made for another": `{operation: CREATE, resource: {version: v1, resource: pods}, kind: {version: v1, kind: Pod}, namespace: team, object: {metadata: {name: x, ownerReferences: [{controller: true, kind: ReplicaSet, name: r, apiVersion: apps/v1, uid: u}]}, spec: HUGE}}`,
	"a Deployment":           `{operation: CREATE, resource: {group: apps, version: v1, resource: deployments}, kind: {group: apps, version: v1, kind: Deployment}, namespace: team, object: {metadata: {name: x}, spec: {replicas: 3, template: {spec: HUGE}}}}`,
	"a Deployment scaled":    `{operation: UPDATE, subResource: scale, resource: {group: apps, version: v1, resource: deployments}, kind: {group: autoscaling, version: v1, kind: Scale}, namespace: team, name: x, object: {metadata: {name: x}, spec: {replicas: 3}}, oldObject: {metadata: {name: x}, spec: {replicas: 1}}}`,
	"a binding":              `{operation: CREATE, subResource: binding, resource: {version: v1, resource: pods}, kind: {version: v1, kind: Binding}, namespace: strict, name: waits, object: {metadata: {name: waits}, target: {kind: Node, name: full}}}`,
	"another binding":        `{operation: CREATE, subResource: binding, resource: {version: v1, resource: pods}, kind: {version: v1, kind: Binding}, namespace: strict, name: second, object: {metadata: {name: second}, target: {kind: Node, name: full}}}`,
	"a policy":               `{operation: UPDATE, resource: {version: v1, resource: configmaps}, kind: {version: v1, kind: ConfigMap}, namespace: headroom-system, name: headroom-policy, object: {data: {policy.yaml: "ENFORCE"}}, oldObject: {data: {policy.yaml: ""}}}`,
	"a policy that is none":  `{operation: CREATE, resource: {version: v1, resource: configmaps}, kind: {version: v1, kind: ConfigMap}, namespace: headroom-system, name: headroom-policy, object: {data: {policy.yaml: "mode: Loud"}}}`,
	"a label that means all": `{operation: UPDATE, resource: {version: v1, resource: namespaces}, kind: {version: v1, kind: Namespace}, name: team, object: {metadata: {name: team, labels: {headroom.dev/mode: Enforce}}}, oldObject: {metadata: {name: team}}}`,
}

func reviewText(t *testing.T, uid, request string) []byte {
	t.Helper()
	enforce, err := json.Marshal(strings.ReplaceAll(parityPolicy, "MODE", "Enforce"))
	if err != nil {
		t.Fatal(err)
	}
	request = strings.NewReplacer("HUGECONTAINERS", `containers: [{name: c, image: "example.com/huge:1"}]`,
		"HUGE", `{containers: [{name: c, image: "example.com/huge:1"}]}`, `"ENFORCE"`, string(enforce)).Replace(request)
	body, err := yaml.YAMLToJSON([]byte(`{apiVersion: admission.k8s.io/v1, kind: AdmissionReview, request: ` + strings.Replace(request, "{", "{uid: "+uid+", ", 1) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// recordAll posts all reviews to a webhook that records, and returns the folder and the answers by the review's name.
func recordAll(t *testing.T) (folder string, answers map[string]*admissionv1.AdmissionResponse) {
	t.Helper()
	w := ledgertest.New(t)
	w.Node("full", ledgertest.Disk(10<<30, 2<<30))
	w.Node("other", ledgertest.Disk(10<<30, 9<<30))
	w.Pod("waits", ledgertest.In("strict"), ledgertest.Wants("example.com/big:1"))
	w.Pod("second", ledgertest.In("strict"), ledgertest.Wants("example.com/big:2"))
	text := strings.ReplaceAll(parityPolicy, "MODE", "Warn")
	p, _, err := policy.Load([]byte(text), true)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]string{"strict": "Enforce"}
	running := webhook.Workload{Kind: "Deployment", Namespace: "team", Name: "web", Pods: 3, Nodes: map[string]bool{"other": true}, Pod: &corev1.Pod{}}
	running.Pod.Namespace = "team"
	running.Pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "example.com/huge:1"}}
	evaluator := fit.Evaluator{Snapshot: w.Ledger.Snapshot, Policy: func() *policy.Policy { return p }}
	sources := recorded{
		clock:    func() time.Time { return w.Now },
		snapshot: w.Ledger.Snapshot,
		policy:   func() controller.PolicyInForce { return controller.PolicyInForce{Policy: p, Text: text} },
		mode:     func(namespace string) string { return modes[namespace] },
		newest:   func(corev1.ObjectReference) *corev1.Pod { return running.Pod },
		bindings: webhook.Bindings{SendBack: func(b webhook.SendBack) fit.Reason {
			if b.Name == "second" {
				return webhook.LimitReached
			}
			return ""
		}},
		cluster: webhook.Cluster{Policy: evaluator.Policy, Workloads: func(string) []webhook.Workload { return []webhook.Workload{running} }},
	}
	folder = filepath.Join(t.TempDir(), "made")
	recorder, err := newRecorder(folder, 0, sources, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	server := recorder.around(handlers(webhook.HandlerOptions{}, webhook.Bindings{}, webhook.Cluster{}))
	answers = map[string]*admissionv1.AdmissionResponse{}
	for name, request := range recordedReviews {
		path := webhook.PodsPath
		switch {
		case strings.Contains(request, "kind: Deployment"), strings.Contains(request, "kind: Scale"):
			path = webhook.WorkloadsPath
		case strings.Contains(request, "kind: Binding"):
			path = webhook.BindingsPath
		case !strings.Contains(request, "kind: Pod"):
			path = webhook.PolicyPath
		}
		got := httptest.NewRecorder()
		server.ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(reviewText(t, "'"+name+"'", request))))
		var answered admissionv1.AdmissionReview
		if err := json.Unmarshal(got.Body.Bytes(), &answered); err != nil || answered.Response == nil {
			t.Fatalf("%s: HTTP %d, %v: %s", name, got.Code, err, got.Body)
		}
		answers[name] = answered.Response
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := recorder.Start(ended); err != nil {
		t.Fatal(err)
	}
	return folder, answers
}

// TestRecordingsAreAnsweredAgain: every answer of every webhook, by `headroom check` on what was known then.
func TestRecordingsAreAnsweredAgain(t *testing.T) {
	folder, answers := recordAll(t)
	code, report, problems := checkFiles(t, "-f", folder)
	if code != exitOverloads || problems != "" {
		t.Errorf("exit code %d, want %d, and\n%s", code, exitOverloads, problems)
	}
	for _, result := range report.Results {
		name := string(result.Response.UID)
		if !sameAnswer(answers[name], result.Response) {
			t.Errorf("%s: the webhook said %s, check says %s", name, inWords(answers[name]), inWords(result.Response))
		}
		delete(answers, name)
	}
	for name, answer := range answers {
		t.Errorf("%s is not recorded: %s", name, inWords(answer))
	}
}

// TestRecordingsThatAreAnsweredOtherwise: whatever was known belongs to the answer.
func TestRecordingsThatAreAnsweredOtherwise(t *testing.T) {
	folder, _ := recordAll(t)
	for what, change := range map[string]struct{ review, old, with string }{
		"the disk":   {"a pod made for another", `"CapacityBytes":10737418240`, `"CapacityBytes":9000000000`},
		"the policy": {"a pod made for another", `mode: Warn`, `mode: Audit`},
		"the label":  {"kubectl debug", `"strict":"Enforce"`, `"strict":""`},
		"the pods":   {"a binding", `"Name":"waits"`, `"Name":"other"`},
		"the limit":  {"another binding", `"letThrough":"limit"`, `"letThrough":""`},
		"what runs":  {"a policy", `"Kind":"Deployment"`, `"Kind":"StatefulSet"`},
	} {
		t.Run(what, func(t *testing.T) {
			text := recordingOf(t, folder, change.review)
			if !strings.Contains(text, change.old) {
				t.Fatalf("the recording has no %q:\n%.5000s", change.old, text)
			}
			path := filepath.Join(t.TempDir(), "changed.json")
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, change.old, change.with)), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, problems := checkFiles(t, "-f", path)
			if want := "error: " + path + ":1: it was answered otherwise: "; code != exitFailed || !strings.HasPrefix(problems, want) {
				t.Errorf("exit code %d, %q; want %d and %q", code, problems, exitFailed, want)
			}
		})
	}
}

// TestFilesAreJudgedByARecording: --snapshot.
func TestFilesAreJudgedByARecording(t *testing.T) {
	folder, answers := recordAll(t)
	path := filepath.Join(t.TempDir(), "known.json")
	if err := os.WriteFile(path, []byte(recordingOf(t, folder, "a pod that is made")), 0o600); err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(t.TempDir(), "pod.yaml")
	text := `{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: team}, spec: {containers: [{name: c, image: "example.com/huge:1"}]}}` +
		"\n---\n" + string(reviewText(t, "u", recordedReviews["a pod that is made"]))
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, report, problems := checkFiles(t, "-f", manifest, "--snapshot", path)
	if code != exitOverloads || problems != "" || len(report.Results) != 2 {
		t.Fatalf("exit code %d, %d results and %q", code, len(report.Results), problems)
	}
	for _, r := range report.Results {
		if want := answers["a pod that is made"].Warnings[0]; r.Message != want || r.Action != fit.Warn {
			t.Errorf("%s %s: %s %q, want a warning: %q", r.Kind, r.Request, r.Action, r.Message, want)
		}
	}
}

func recordingOf(t *testing.T, folder, review string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"uid":"`+review+`"`) {
			return string(text)
		}
	}
	t.Fatalf("no recording of %q", review)
	return ""
}

// checkFiles runs `headroom check` without a cluster.
func checkFiles(t *testing.T, args ...string) (code int, report checkReport, problems string) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var out, errs bytes.Buffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append([]string{"check", "-o", "json"}, args...))
	err := root.ExecuteContext(t.Context())
	if err != nil && !isSilent(err) {
		fmt.Fprintln(&errs, "error:", err)
	}
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &report); err != nil {
			t.Fatal(err)
		}
	}
	return exitCode(err), report, errs.String()
}
