// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/headroom-dev/headroom/test/serve"
	"github.com/headroom-dev/headroom/test/simnode"
)

// said is what kubectl prints, an error last.
func said(stdout, stderr string) string { return stdout + stderr }

// label asks for a label on a namespace without keeping it.
func label(t *testing.T, namespace, text string) string {
	t.Helper()
	stdout, stderr, _ := shared.plane.Kubectl(t.Context(), "label", "namespace", namespace, "--overwrite", "--dry-run=server", text)
	return said(stdout, stderr)
}

// applyPolicy applies a policy as a user does, or only asks what would become of it.
func applyPolicy(t *testing.T, text string, args ...string) string {
	t.Helper()
	manifest := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: headroom-policy, namespace: headroom-system}\ndata:\n  policy.yaml: |\n    " +
		strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
	stdout, stderr, _ := shared.plane.KubectlInput(t.Context(), manifest, append([]string{"apply", "-f", "-"}, args...)...)
	return said(stdout, stderr)
}

const dryRunServer = "--dry-run=server"

// twoNodePool is a pool of a node with room and one without. Workloads that are pinned to it run on the first.
func twoNodePool(t *testing.T) {
	t.Helper()
	full := tenGi()
	full.OtherUsedBytes = 9 << 30
	pool := map[string]string{"pool": "what-if"}
	startNode(t, simnode.NodeSpec{Name: "what-if-full", Config: full, Labels: pool})
	startNode(t, simnode.NodeSpec{Name: "what-if-roomy", Config: tenGi(), Labels: pool})
}

// runs creates a workload and waits until its pods run.
func runs(t *testing.T, namespace, manifest string, pods int) {
	t.Helper()
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), manifest, "create", "-n", namespace, "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	eventually(t, time.Minute, "its pods run", func() bool {
		list, err := shared.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=" + string(corev1.PodRunning)})
		return err == nil && len(list.Items) >= pods
	})
}

func workloadManifest(kind, name, image string, pinned bool, more string) string {
	version := map[string]string{"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1"}[kind]
	selector, where, restart := fmt.Sprintf("selector: {matchLabels: {app: %s}}, ", name), "", ""
	if kind == "Job" {
		selector, restart = "", "restartPolicy: Never, "
	}
	if pinned {
		where = "nodeSelector: {pool: what-if}, "
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s}\nspec: {%s%stemplate: {metadata: {labels: {app: %s}}, spec: {%s%scontainers: [{name: main, image: '%s'}]}}}\n",
		version, kind, name, selector, more, name, where, restart, image)
}

// awaitPolicyWebhook waits until the API server asks Headroom about what admins set.
func awaitPolicyWebhook(t *testing.T, p *serve.Process) {
	t.Helper()
	eventually(t, 20*time.Second, "the API server asks about namespaces", func() bool {
		before := p.Metric(t, "headroom_admission_settings_total")
		label(t, "default", "headroom.dev/probe=x")
		return p.Metric(t, "headroom_admission_settings_total") > before
	})
}

// deleteAllConfigMaps asks for the deletion of the collection, without it, and returns the warnings as kubectl writes them.
func deleteAllConfigMaps(t *testing.T, namespace string) []string {
	t.Helper()
	config, err := shared.plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	var warned bytes.Buffer
	config.WarningHandler = rest.NewWarningWriter(&warned, rest.WarningWriterOptions{})
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CoreV1().ConfigMaps(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(warned.String(), "\n"), "\n")
}

// TestWhatAChangeWouldDo is about the words: every one of them is in a golden file.
func TestWhatAChangeWouldDo(t *testing.T) {
	quiet(t)
	twoNodePool(t)
	setPolicy(t, "mode: Warn")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	awaitPolicyWebhook(t, p)
	namespace(t, "team-a")
	namespace(t, "team-b")
	// Not in a cleanup: then no kubelet is left that would let the pods end.
	defer func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "namespace", "team-a", "team-b", "--timeout=60s")
	}()
	runs(t, "team-a", workloadManifest("Deployment", "web", "example.com/web:1", true, "replicas: 2, "), 2)
	runs(t, "team-a", workloadManifest("StatefulSet", "db", "example.com/web:1", true, "serviceName: db, replicas: 1, "), 3)
	runs(t, "team-a", workloadManifest("Deployment", "anywhere", "example.com/web:1", false, "replicas: 1, "), 4)
	runs(t, "team-a", workloadManifest("DaemonSet", "agent", "example.com/agent:1", true, ""), 5)
	runs(t, "team-b", workloadManifest("Job", "train", "example.com/train:1", true, "parallelism: 1, "), 1)
	eventually(t, 20*time.Second, "Headroom knows what runs, and the size of it", func() bool {
		out := applyPolicy(t, policyText("mode: Enforce"), dryRunServer)
		return strings.Contains(out, "2 other workloads (2 pods) would be refused") && strings.Contains(out, "4 of 4 workloads")
	})

	golden(t, "what-if-label.txt", label(t, "team-a", "headroom.dev/mode=Enforce"))
	golden(t, "what-if-policy.txt", applyPolicy(t, policyText("mode: Enforce"), dryRunServer))
	t.Run("a namespace that is treated so already is not named", func(t *testing.T) {
		kubectl(t, "label", "namespace", "team-a", "headroom.dev/mode=Enforce")
		eventually(t, 10*time.Second, "Headroom knows the label", func() bool {
			return !strings.Contains(applyPolicy(t, policyText("mode: Enforce"), dryRunServer), "team-a/web")
		})
		golden(t, "what-if-labelled.txt", applyPolicy(t, policyText("mode: Enforce"), dryRunServer))
	})
	t.Run("deleting the policy says what the defaults would do", func(t *testing.T) {
		setPolicy(t, "mode: Audit", "namespaceOverrides: None")
		awaitMode(t, p, "Audit")
		stdout, stderr, err := shared.plane.Kubectl(t.Context(), "delete", "configmap", "-n", "headroom-system", "headroom-policy", dryRunServer)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "what-if-delete.txt", said(stdout, stderr))
		if got, want := deleteAllConfigMaps(t, "headroom-system"), strings.Split(strings.TrimSuffix(stderr, "\n"), "\n"); !slices.Equal(got, want) {
			t.Errorf("deleting all at once says %q, want as for the one: %q", got, want)
		}
	})
	t.Run("the audit log tells it to programs", func(t *testing.T) {
		applyPolicy(t, policyText("mode: Enforce"), dryRunServer)
		var found map[string]string
		for _, event := range auditEvents(t) {
			if event.ObjectRef.Resource == "configmaps" && event.ObjectRef.Name == "headroom-policy" {
				found = event.Annotations
			}
		}
		if found["policy.headroom.dev/action"] != "Allow" || found["policy.headroom.dev/looked"] != "4/4" || found["policy.headroom.dev/stricter"] != "1" {
			t.Errorf("annotations %v, want Allow, 4/4 and 1", found)
		}
	})
}

// TestSettingsThatMeanNothing: what is refused, and what is not, with Headroom's own namespace and kube-system among it.
func TestSettingsThatMeanNothing(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Warn")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	awaitPolicyWebhook(t, p)
	namespace(t, "team-a")
	var out strings.Builder
	for _, c := range []struct{ about, said string }{
		{"a value that is no mode", label(t, "team-a", "headroom.dev/mode=Sometimes")},
		{"no value", label(t, "team-a", "headroom.dev/mode=")},
		{"letter case does not matter", label(t, "team-a", "headroom.dev/mode=warn")},
		{"milder than the policy", label(t, "team-a", "headroom.dev/mode=Audit")},
		{"a misspelt label", label(t, "team-a", "headroom.dev/mod=Enforce")},
		{"an exempt namespace", label(t, "kube-public", "headroom.dev/mode=Enforce")},
		{"the cluster's own namespace", label(t, "kube-system", "headroom.dev/mode=Enforce")},
		{"a label of somebody else's, there", label(t, "kube-system", "example.com/team=x")},
		{"Headroom's own namespace", label(t, "headroom-system", "headroom.dev/mode=Enforce")},
		{"two mistakes in the policy", applyPolicy(t, policyText("denyAt: Never", "safetyMargin: 200%"), dryRunServer)},
		{"no YAML", applyPolicy(t, "mode: [Warn\n", dryRunServer)},
		{"a valid policy", applyPolicy(t, policyText("mode: Enforce"), dryRunServer)},
	} {
		out.WriteString("# " + c.about + "\n" + c.said)
	}
	golden(t, "settings.txt", out.String())

	t.Run("a namespace with such a label from before can be changed, and deleted", func(t *testing.T) {
		p.Stop()
		kubectl(t, "create", "namespace", "from-before")
		kubectl(t, "label", "namespace", "from-before", "headroom.dev/mode=Sometimes")
		next := startHeadroom(t)
		awaitWebhook(t, next)
		awaitPolicyWebhook(t, next)
		kubectl(t, "label", "namespace", "from-before", "headroom.dev/other=x", "team=x")
		kubectl(t, "delete", "namespace", "from-before", "--timeout=60s")
	})
}

// TestABrokenPolicyIsMended: one that came in while nobody looked is in force nowhere, and does not keep a valid one out.
func TestABrokenPolicyIsMended(t *testing.T) {
	setPolicyText(t, "mode: Sometimes")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	awaitPolicyWebhook(t, p)
	kubectl(t, "label", "configmap", "-n", "headroom-system", "headroom-policy", "team=x")
	if out := applyPolicy(t, "mode: Often\n"); !strings.Contains(out, "is invalid") && !strings.Contains(out, "denied") {
		t.Errorf("kubectl says %q of another broken policy", out)
	}
	if out := applyPolicy(t, policyText("mode: Enforce")); !strings.HasPrefix(out, "configmap/headroom-policy configured\n") {
		t.Errorf("kubectl says %q of a valid one", out)
	}
	awaitMode(t, p, "Enforce")
	t.Run("a valid one is taken while the webhook is gone", func(t *testing.T) {
		p.Kill()
		t.Cleanup(func() {
			_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "validatingwebhookconfiguration", configurationName, "--ignore-not-found")
		})
		if out := applyPolicy(t, policyText("mode: Warn")); !strings.HasPrefix(out, "configmap/headroom-policy configured\n") {
			t.Errorf("kubectl says %q", out)
		}
	})
}
