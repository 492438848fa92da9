// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/headroom-dev/headroom/webhook"
)

// documented writes the n-th kustomization below a heading of a page of docs/ to a folder of its own, with the base that it names.
func documented(t *testing.T, page, heading string, n int) (folder string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), heading+"\n")
	blocks := strings.Split(after, "```yaml\n")
	if !found || len(blocks) < n+2 {
		t.Fatalf("docs/%s has no kustomization %d below %q", page, n, heading)
	}
	kustomization, _, closed := strings.Cut(blocks[n+1], "```")
	base, err := filepath.Abs(manifests + "base")
	if err != nil || !closed {
		t.Fatal(err, closed)
	}
	folder = t.TempDir()
	if base, err = filepath.Rel(folder, base); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(strings.Replace(kustomization, "../manifests/base", base, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestWithoutThePolicyOfTaints renders the kustomization of docs/steering.md for API servers that know no such policies.
func TestWithoutThePolicyOfTaints(t *testing.T) {
	text := kubectl(t, "kustomize", documented(t, "steering.md", "## What Headroom may do to nodes", 0))
	if strings.Contains(text, "kind: ValidatingAdmissionPolicy") || strings.Count(text, "\n---\n") != len(rendered(t, "base"))-3 {
		t.Errorf("rendered are not all objects but those two:\n%s", text)
	}
}

// TestWithoutTheRightToPatchNodes renders the kustomization of docs/steering.md for who never steers: that right is gone, and no other.
func TestWithoutTheRightToPatchNodes(t *testing.T) {
	var got []rbacv1.PolicyRule
	for document := range strings.SplitSeq(kubectl(t, "kustomize", documented(t, "steering.md", "## What Headroom may do to nodes", 1)), "\n---\n") {
		if strings.Contains(document, "\nkind: ClusterRole\n") && strings.Contains(document, "\n  name: headroom\n") {
			got = decode[rbacv1.ClusterRole](t, document).Rules
		}
	}
	var want []rbacv1.PolicyRule
	for _, rule := range decode[rbacv1.ClusterRole](t, rendered(t, "base")["ClusterRole headroom"]).Rules {
		if rule.Resources[0] != "nodes" || rule.Verbs[0] != "patch" {
			want = append(want, rule)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +rendered):\n%s", diff)
	}
}

// TestKindsOfOnesOwnAreAsked renders the kustomization of docs/operations.md: its patch adds a rule to the right webhook.
func TestKindsOfOnesOwnAreAsked(t *testing.T) {
	folder := documented(t, "operations.md", "## Kinds of your own", 0)
	var got []admissionregistrationv1.ValidatingWebhook
	for document := range strings.SplitSeq(kubectl(t, "kustomize", folder), "\n---\n") {
		if strings.Contains(document, "kind: ValidatingWebhookConfiguration\n") {
			got = decode[admissionregistrationv1.ValidatingWebhookConfiguration](t, document).Webhooks
		}
	}
	want := decode[admissionregistrationv1.ValidatingWebhookConfiguration](t, rendered(t, "base")["ValidatingWebhookConfiguration headroom"]).Webhooks
	workloads := &want[1]
	workloads.Rules = append(workloads.Rules, admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{"argoproj.io"}, APIVersions: []string{"v1alpha1"}, Resources: []string{"rollouts"},
			Scope: new(admissionregistrationv1.NamespacedScope),
		},
	})
	if diff := cmp.Diff(want, got); diff != "" || workloads.Name != webhook.WorkloadsWebhookName {
		t.Errorf("%s, webhooks (-want +rendered):\n%s", workloads.Name, diff)
	}
}
