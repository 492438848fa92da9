// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/webhook"
)

// refuses asks, fast and without a trace, whether a pod that overloads every node is refused.
func refuses(t *testing.T) bool {
	t.Helper()
	_, err := shared.client.CoreV1().Pods("default").Create(t.Context(), podOf("app", "example.com/big:1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil && !apierrors.IsForbidden(err) {
		t.Fatal(err)
	}
	return err != nil
}

// TestModeChange writes a new mode and watches, through the API server, when pods are treated by it.
func TestModeChange(t *testing.T) {
	setPolicy(t, "mode: Warn")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	const limit = 2 * time.Second
	var worst time.Duration
	for i := range 6 {
		mode := []string{"Enforce", "Warn"}[i%2]
		configMap, err := shared.client.CoreV1().ConfigMaps("headroom-system").Get(t.Context(), "headroom-policy", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		configMap.Data["policy.yaml"] = policyText("mode: " + mode)
		if _, err := shared.client.CoreV1().ConfigMaps("headroom-system").Update(t.Context(), configMap, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		written := time.Now()
		for refuses(t) != (mode == "Enforce") {
			if time.Since(written) > 10*limit {
				t.Fatalf("mode %s is not in force after %v", mode, 10*limit)
			}
		}
		worst = max(worst, time.Since(written))
	}
	t.Logf("the slowest of 6 mode changes was in force after %v", worst.Round(time.Millisecond))
	if worst > limit {
		t.Errorf("a mode change took %v to be in force, want at most %v", worst, limit)
	}
}

// wantEvent waits for an Event on the policy's ConfigMap.
func wantEvent(t *testing.T, reason string, words ...string) {
	t.Helper()
	var said []string
	eventually(t, 10*time.Second, "an Event "+reason+" on the ConfigMap", func() bool {
		events, err := shared.client.CoreV1().Events("headroom-system").List(t.Context(), metav1.ListOptions{
			FieldSelector: "involvedObject.kind=ConfigMap,involvedObject.name=headroom-policy,reason=" + reason,
		})
		if err != nil {
			t.Fatal(err)
		}
		said = nil
		for i := range events.Items {
			said = append(said, events.Items[i].Message)
			if containsAll(events.Items[i].Message, words) {
				return true
			}
		}
		return false
	})
}

func containsAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// takeAwayPolicyWebhook lets in what the webhook for what admins set would refuse, until the process ends that registered it.
func takeAwayPolicyWebhook(t *testing.T) {
	t.Helper()
	configurations := shared.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	configuration, err := configurations.Get(t.Context(), configurationName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	configuration.Webhooks = slices.DeleteFunc(configuration.Webhooks, func(w admissionregistrationv1.ValidatingWebhook) bool {
		return w.Name == webhook.PolicyWebhookName
	})
	if _, err := configurations.Update(t.Context(), configuration, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "an invalid policy gets in", func() bool {
		return strings.HasPrefix(applyPolicy(t, "mode: Sometimes\n", dryRunServer), "configmap/headroom-policy")
	})
}

// TestPolicyMistakes is about texts that got in although they are not valid.
func TestPolicyMistakes(t *testing.T) {
	setPolicy(t, "mode: Enforce")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	takeAwayPolicyWebhook(t)
	cases := map[string]struct {
		data map[string]string
		says []string
	}{
		"invalid YAML":         {map[string]string{"policy.yaml": "mode: [Warn\n"}, []string{"line 1"}},
		"an unknown mode":      {map[string]string{"policy.yaml": policyText("mode: Sometimes")}, []string{"mode:", "Sometimes", `"Off", "Audit", "Warn", "Enforce"`}},
		"a negative size":      {map[string]string{"policy.yaml": "apiVersion: headroom.dev/v1alpha1\nkind: Policy\nimages: [{match: a/b, size: -1Gi}]\n"}, []string{"images[0].size", "-1Gi"}},
		"two mistakes at once": {map[string]string{"policy.yaml": policyText("denyAt: Never", "safetyMargin: 200%")}, []string{"denyAt", "safetyMargin"}},
		"a misspelt key":       {map[string]string{"policy.yml": "mode: Off"}, []string{`has no key "policy.yaml"`}},
		"an unknown field":     {map[string]string{"policy.yaml": policyText("mod: Off")}, []string{"mod"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			setPolicy(t, "mode: Enforce")
			eventually(t, 10*time.Second, "a valid policy", func() bool { return p.Metric(t, "headroom_policy_valid") == 1 })
			before := p.Metric(t, "headroom_policy_loads_total", "result=invalid")
			kubectl(t, "delete", "events", "-n", "headroom-system", "--all")

			setPolicyData(t, tc.data)
			eventually(t, 10*time.Second, "the metric says so", func() bool { return p.Metric(t, "headroom_policy_valid") == 0 })
			if after := p.Metric(t, "headroom_policy_loads_total", "result=invalid"); after != before+1 {
				t.Errorf("%v invalid texts counted, want one", after-before)
			}
			wantEvent(t, "PolicyInvalid", append(tc.says, "the last valid policy stays in force")...)
			if !refuses(t) {
				t.Error("the last valid policy, mode Enforce, is not in force any more")
			}
		})
	}
}

// TestStartedWithAnUnknownField is a downgrade: what else the policy says holds.
func TestStartedWithAnUnknownField(t *testing.T) {
	setPolicy(t, "mode: Enforce", "fromTheFuture: 1")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	if !refuses(t) {
		t.Error("not refused: mode Enforce is not in force")
	}
	if !strings.Contains(p.Log(), "fromTheFuture") {
		t.Error("the log does not name the field")
	}
}

func TestStartedWithAnInvalidPolicy(t *testing.T) {
	setPolicyText(t, "mode: Sometimes")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	if p.Metric(t, "headroom_policy_info", "source=fallback", "mode=Audit") != 1 || p.Metric(t, "headroom_policy_valid") != 0 {
		t.Error("the metrics don't say that mode Audit is in force for lack of a valid policy")
	}
	if !strings.Contains(p.Log(), "there is no valid one to keep: the defaults are in force in mode Audit") {
		t.Error("the log does not say so")
	}
	wantEvent(t, "PolicyInvalid", "in mode Audit", "Sometimes")
	if got := annotationsAfter(t, "invalid-start"); got["policy"] != "Audit@fallback" {
		t.Errorf("annotations %v, want policy Audit@fallback", got)
	}
}

func TestPolicyDeleted(t *testing.T) {
	setPolicy(t, "mode: Enforce")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	if !refuses(t) {
		t.Fatal("not refused while the policy says Enforce")
	}
	kubectl(t, "delete", "configmap", "-n", "headroom-system", "headroom-policy")
	eventually(t, 10*time.Second, "the defaults are in force", func() bool {
		return p.Metric(t, "headroom_policy_info", "source=defaults", "mode=Warn") == 1
	})
	wantEvent(t, "PolicyDeleted", "the defaults are in force, mode Warn")
	if got := annotationsAfter(t, "deleted-policy"); got["policy"] != "Warn@defaults" {
		t.Errorf("annotations %v, want policy Warn@defaults", got)
	}
	if p.Metric(t, "headroom_policy_valid") != 1 || p.Metric(t, "headroom_policy_loads_total", "result=deleted") != 1 {
		t.Error("want a valid policy and one deletion counted")
	}
}

// annotationsAfter creates a pod, for nothing but its annotations.
func annotationsAfter(t *testing.T, name string) map[string]string {
	t.Helper()
	if _, err := dryRun(t, "default", podOf(name, "example.com/small:1")); err != nil {
		t.Fatal(err)
	}
	return annotationsOf(t, "default", name)
}
