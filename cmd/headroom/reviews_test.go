// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReviewsThatCannotBeRead: one sentence that says what is wrong, where, and what to do. Without a cluster.
func TestReviewsThatCannotBeRead(t *testing.T) {
	const head = `{apiVersion: admission.k8s.io/v1, kind: AdmissionReview`
	for name, tc := range map[string]struct{ text, problem string }{
		"no request":             {head + `, response: {uid: u, allowed: true}}`, "FILE:1: an AdmissionReview without a request: what was asked is what the API server posted, not what it was answered"},
		"an older version":       {`{apiVersion: admission.k8s.io/v1beta1, kind: AdmissionReview, request: {uid: u}}`, "FILE:1: an AdmissionReview of admission.k8s.io/v1beta1: only admission.k8s.io/v1 is known"},
		"no kind":                {head + `, request: {uid: u, operation: CREATE}}`, "FILE:1: an AdmissionReview whose request lacks kind, resource or operation: without these nobody knows what is asked"},
		"no object":              {head + `, request: {operation: CREATE, kind: {version: v1, kind: Pod}, resource: {version: v1, resource: pods}}}`, "FILE:1: an AdmissionReview whose request lacks the object: there is nothing to judge"},
		"a value that is wrong":  {"---\n" + head + `, request: {operation: 3}}`, "FILE:2: request.operation: a number does not fit here"},
		"a recording to come":    {`{apiVersion: headroom.dev/v1alpha1, kind: Recording, format: 9, version: v9.0.0}`, "FILE:1: a recording of headroom v9.0.0 (headroom.dev/v1alpha1, format 9), of which this one reads format 1 only: replay it with that version"},
		"a recording of nothing": {`{apiVersion: headroom.dev/v1alpha1, kind: Recording, format: 1}`, "FILE:1: a recording that is damaged: it has no review"},
		"a recording's policy":   {`{apiVersion: headroom.dev/v1alpha1, kind: Recording, format: 1, review: {}, known: {policy: {text: "mode: Loud"}, snapshot: null}}`, `FILE:1: a recording that is damaged: known.policy.text: `},
		"a recording's snapshot": {`{apiVersion: headroom.dev/v1alpha1, kind: Recording, format: 1, review: {}, known: {policy: {}, snapshot: 3}}`, "FILE:1: a recording that is damaged: known.snapshot: "},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "review.yaml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, problems := checkFiles(t, "-f", path)
			want := "error: " + strings.ReplaceAll(tc.problem, "FILE", path)
			if code != exitFailed || !strings.HasPrefix(problems, want) || strings.Count(problems, "\n") != 1 {
				t.Errorf("exit code %d, want %d; problems\n%swant\n%s", code, exitFailed, problems, want)
			}
		})
	}
}

// TestSnapshotsThatCannotBeRead is about the file of --snapshot.
func TestSnapshotsThatCannotBeRead(t *testing.T) {
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pod := write("pod.yaml", onePod)
	nothing := `{"apiVersion": "headroom.dev/v1alpha1", "kind": "Recording", "format": 1, "known": {"policy": {}, "snapshot": null}, "review": {"apiVersion": "admission.k8s.io/v1",
		"request": {"operation": "DELETE", "kind": {"kind": "ConfigMap"}, "resource": {"resource": "configmaps"}}}}`
	for name, tc := range map[string]struct{ path, problem string }{
		"not there":                     {filepath.Join(t.TempDir(), "gone"), "--snapshot: open "},
		"a manifest":                    {pod, "--snapshot: " + pod + " is no recording: headroom serve --record writes them"},
		"a recording without":           {write("nothing.json", nothing), " is about a request for which no node was looked at: take another recording"},
		"a recording of another format": {write("next.json", `{"apiVersion": "headroom.dev/v1alpha1", "kind": "Recording", "format": 2}`), "of which this one reads format 1 only"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, problems := checkFiles(t, "-f", pod, "--snapshot", tc.path)
			if code != exitFailed || !strings.Contains(problems, tc.problem) || strings.Count(problems, "\n") != 1 {
				t.Errorf("exit code %d, want %d; problems\n%swant\n%s", code, exitFailed, problems, tc.problem)
			}
		})
	}
}
