// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/serve"
)

// modeLabels are what the namespaces of the matrix ask for by headroom.dev/mode, "" for no label.
var modeLabels = [...]string{"", "Off", "Audit", "Warn", "Enforce"}

// modesInForce is the mode in force for each of these namespaces, by the policy's mode and namespaceOverrides.
var modesInForce = map[[2]string][len(modeLabels)]string{
	{"Off", "None"}:        {"Off", "Off", "Off", "Off", "Off"},
	{"Off", "Tighten"}:     {"Off", "Off", "Off", "Off", "Off"},
	{"Off", "Any"}:         {"Off", "Off", "Off", "Off", "Off"},
	{"Audit", "None"}:      {"Audit", "Audit", "Audit", "Audit", "Audit"},
	{"Audit", "Tighten"}:   {"Audit", "Audit", "Audit", "Warn", "Enforce"},
	{"Audit", "Any"}:       {"Audit", "Off", "Audit", "Warn", "Enforce"},
	{"Warn", "None"}:       {"Warn", "Warn", "Warn", "Warn", "Warn"},
	{"Warn", "Tighten"}:    {"Warn", "Warn", "Warn", "Warn", "Enforce"},
	{"Warn", "Any"}:        {"Warn", "Off", "Audit", "Warn", "Enforce"},
	{"Enforce", "None"}:    {"Enforce", "Enforce", "Enforce", "Enforce", "Enforce"},
	{"Enforce", "Tighten"}: {"Enforce", "Enforce", "Enforce", "Enforce", "Enforce"},
	{"Enforce", "Any"}:     {"Enforce", "Off", "Audit", "Warn", "Enforce"},
}

// TestEveryKindOperationModeAndLabel asks a real API server for every kind and operation, in every mode, in namespaces with and
// without the label headroom.dev/mode: what is said to whoever asks, what is noted in the audit log, and that nobody is asked
// about what can't matter.
func TestEveryKindOperationModeAndLabel(t *testing.T) {
	quiet(t)
	setMatrixPolicy(t, nil, "Off", "None")
	p := startHeadroom(t)
	withRollouts(t)
	var namespaces []string
	for _, label := range modeLabels {
		namespaces = append(namespaces, "matrix-"+strings.ToLower(cmp.Or(label, "plain")))
	}
	namespace(t, namespaces...)
	for i, ns := range namespaces {
		create(t, ns, strings.Join(matrixObjects(), "\n---\n"))
		if modeLabels[i] != "" {
			kubectl(t, "label", "namespace", ns, "headroom.dev/mode="+modeLabels[i])
		}
	}
	awaitWebhook(t, p)
	eventually(t, 30*time.Second, "the pods of all workloads are there and known", func() bool {
		return p.Metric(t, "headroom_ledger_synced") == 1 && scalablePods(t, namespaces)
	})

	rows := podRows(t)
	maps.Copy(rows, workloadRows())
	a := newAsker(t)
	began, total := time.Now(), 0
	for policy, modes := range modesInForce {
		t.Run("policy "+policy[0]+", overrides "+policy[1], func(t *testing.T) {
			setMatrixPolicy(t, p, policy[0], policy[1])
			before, sent := askedOfAny(t, p), 0
			ids := map[string][2]string{}
			for i, ns := range namespaces {
				for name, id := range a.askAll(t, ns, rows) {
					ids[id] = [2]string{name, modes[i]}
				}
			}
			total += len(ids)
			answers := a.answers(t)
			for id, about := range ids {
				if rows[about[0]].webhook != "" {
					sent++
				}
				if diff := gocmp.Diff(wanted(rows[about[0]], about[1]), got(answers[id], rows[about[0]].invalid)); diff != "" {
					t.Errorf("%s, in mode %s (-want +got):\n%s", about[0], about[1], diff)
				}
			}
			if got := askedOfAny(t, p) - before; got != float64(sent) {
				t.Errorf("Headroom was asked %v times, want %d of %d requests: the others can't matter", got, sent, len(ids))
			}
		})
	}
	t.Logf("%d requests of %d kinds in %v", total, len(rows), time.Since(began).Round(time.Second))
	if n := p.Metric(t, "headroom_admission_panics_total"); n != 0 {
		t.Errorf("%v panics", n)
	}
}

// scalablePods reports whether what can be scaled has its pods, by which it is judged then.
func scalablePods(t *testing.T, namespaces []string) bool {
	t.Helper()
	const selector = "app in (Deployment-big,StatefulSet-big,ReplicaSet-big,ReplicationController-big,Deployment-used,StatefulSet-used,ReplicaSet-used,ReplicationController-used)"
	for _, ns := range namespaces {
		if pods, err := shared.client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: selector}); err != nil || len(pods.Items) < 8 {
			return false
		}
	}
	return true
}

// withRollouts makes a kind of one's own, of which a Headroom that is registered is asked, until the test ends.
func withRollouts(t *testing.T) {
	t.Helper()
	kubectl(t, "apply", "-f", "testdata/rollouts.yaml")
	kubectl(t, "wait", "--for=condition=Established", "crd/rollouts.example.com", "--timeout=30s")
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "-f", "testdata/rollouts.yaml", "--timeout=60s")
	})
	addRollouts(t)
}

func askedOfAny(t *testing.T, p *serve.Process) float64 {
	t.Helper()
	return asked(t, p) + p.Metric(t, "headroom_steering_bindings_total") + p.Metric(t, "headroom_admission_undecided_total", "reason=unknown-template")
}

// askAll asks for each row, some at a time, and returns the names of the requests.
func (a *asker) askAll(t *testing.T, namespace string, rows map[string]matrixRow) map[string]string {
	t.Helper()
	var (
		mu    sync.Mutex // guards ids
		ids   = map[string]string{}
		group errgroup.Group
	)
	group.SetLimit(8)
	for name, row := range rows {
		group.Go(func() error {
			id := a.ask(t, namespace, row.request)
			mu.Lock()
			defer mu.Unlock()
			ids[name] = id
			return nil
		})
	}
	_ = group.Wait() // no function of the group returns an error
	return ids
}

// outcome is an answer as far as the matrix compares it.
type outcome struct{ Said, Webhook, Action, Exempt, Verdict, Mode string }

// got is the outcome of an answer. Of an error of the API server's own, the words that are waited for are enough.
func got(a answer, invalid string) outcome {
	o := outcome{Said: a.said}
	if invalid != "" && strings.HasPrefix(a.said, "error: ") && strings.Contains(a.said, invalid) {
		o.Said = "error: " + invalid
	}
	for key, value := range a.noted {
		webhook, what, _ := strings.Cut(key, "/")
		o.Webhook = webhook
		switch what {
		case "action":
			o.Action = value
		case "exempt":
			o.Exempt = value
		case "verdict":
			o.Verdict = value
		case "policy":
			o.Mode, _, _ = strings.Cut(value, "@")
		}
	}
	return o
}

// wanted is what becomes of a row's request where a mode is in force.
func wanted(row matrixRow, mode string) outcome {
	switch {
	case row.invalid != "":
		return outcome{Said: "error: " + row.invalid}
	case row.webhook == "":
		return outcome{}
	case row.exempt == "mirror", row.exempt == "unchanged": // before the policy is asked
		return outcome{Webhook: row.webhook, Action: "Allow", Exempt: row.exempt}
	case row.undecided:
		return outcome{Webhook: row.webhook, Action: "Allow"}
	case row.webhook == "bindings" && mode != "Enforce": // where steering is on by itself
		return outcome{Webhook: row.webhook, Action: "Allow", Exempt: "off", Verdict: "Unknown", Mode: mode}
	case mode == "Off":
		return outcome{Webhook: row.webhook, Action: "Allow", Exempt: "off", Mode: mode}
	case row.exempt != "":
		return outcome{Webhook: row.webhook, Action: "Allow", Exempt: row.exempt, Mode: mode}
	}
	o := outcome{Webhook: row.webhook, Action: "Allow", Verdict: row.verdict, Mode: mode}
	switch mode {
	case "Warn":
		o.Said = row.warn
	case "Enforce":
		o.Said = row.enforce
	}
	switch {
	case mode == "Warn" && row.verdict == "EvictsPods", strings.HasPrefix(o.Said, "warning: "):
		o.Action = "Warn"
	case strings.HasPrefix(o.Said, "refused: "):
		o.Action = "Deny"
	}
	return o
}

// setMatrixPolicy puts a policy in force, and waits for that if there is a process.
func setMatrixPolicy(t *testing.T, p *serve.Process, mode, overrides string) {
	t.Helper()
	text := policyText("mode: "+mode, "namespaceOverrides: "+overrides,
		"workloads: [{apiVersion: example.com/v1, kind: Rollout, resource: rollouts}]")
	setPolicyText(t, text)
	if p == nil {
		return
	}
	digest := sha256.Sum256([]byte(text))
	eventually(t, 10*time.Second, "the policy is in force", func() bool {
		return p.Metric(t, "headroom_policy_info", "version="+hex.EncodeToString(digest[:6])) == 1
	})
}
