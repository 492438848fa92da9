// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/test/serve"
	"github.com/headroom-dev/headroom/test/simnode"
)

// TestEveryRuleIsNeeded takes one rule away and looks what breaks.
func TestEveryRuleIsNeeded(t *testing.T) {
	rule := func(role string, index int) []string { return []string{role, strconv.Itoa(index)} }
	cases := map[string]struct {
		without []string
		breaks  func(t *testing.T, p *serve.Process)
		ends    string // the error that the process ends with, if it does
	}{
		"nodes/stats: nothing is measured": {rule("clusterrole/headroom-kubelet-reader", 0), func(t *testing.T, p *serve.Process) {
			eventually(t, 20*time.Second, "kubelets refuse", func() bool {
				return p.Metric(t, "headroom_kubelet_poll_errors_total", "reason=forbidden") > 0 && p.Metric(t, "headroom_ledger_nodes", "tier=Measured") == 0
			})
		}, ""},
		"nodes/configz: the kubelet's defaults are assumed": {[]string{"clusterrole/headroom-kubelet-reader", "0/resources/1"}, func(t *testing.T, p *serve.Process) {
			eventually(t, 20*time.Second, "kubelets refuse", func() bool {
				return p.Metric(t, "headroom_kubelet_poll_errors_total", "reason=forbidden") > 0 && p.Metric(t, "headroom_ledger_nodes", "tier=Measured") > 0
			})
		}, ""},
		"nodes and pods: it ends and says what is missing": {
			rule("clusterrole/headroom", 0), nil,
			`error: .*cannot list nodes at cluster scope: ServiceAccount headroom-system/headroom needs list on nodes\n` +
				`error: cannot list pods at cluster scope: ServiceAccount headroom-system/headroom needs list on pods`,
		},
		"events about pulls: their sizes are not known, and all else works": {rule("clusterrole/headroom", 1), func(t *testing.T, p *serve.Process) {
			logged(t, p.Log, "Watch failed", "cannot list events at cluster scope: ServiceAccount headroom-system/headroom needs list on events")
			eventually(t, 20*time.Second, "every node is measured", func() bool {
				return p.Metric(t, "headroom_ledger_nodes", "tier=Measured") >= float64(len(shared.fleet.Nodes()))
			})
			if n := p.Metric(t, "headroom_pulled_images"); n != 0 {
				t.Errorf("%v sizes are known from events", n)
			}
		}, ""},
		"namespaces: it ends and says what is missing": {
			rule("clusterrole/headroom", 2), nil,
			`error: .*cannot list namespaces at cluster scope: ServiceAccount headroom-system/headroom needs list on namespaces`,
		},
		"the policy: it ends and says what is missing": {
			rule("-n=headroom-system role/headroom", 0), nil,
			`error: .*cannot list configmaps in namespace "headroom-system": ServiceAccount headroom-system/headroom needs list on configmaps`,
		},
		"tokens: nothing is measured": {rule("-n=headroom-system role/headroom", 1), func(t *testing.T, p *serve.Process) {
			eventually(t, 20*time.Second, "no kubelet is asked", func() bool {
				return p.Metric(t, "headroom_kubelet_poll_errors_total") > 0 && p.Metric(t, "headroom_ledger_nodes", "tier=Measured") == 0
			})
		}, ""},
		"making the Secret: never ready":  {rule("-n=headroom-system role/headroom", 2), neverReady, ""},
		"reading the Secret: never ready": {rule("-n=headroom-system role/headroom", 3), neverReady, ""},
		"the autoscaler's status: pools count as elastic, and all else works": {rule("-n=kube-system role/headroom-autoscaler", 0), func(t *testing.T, p *serve.Process) {
			logged(t, p.Log, "Watch failed", "cannot list configmaps in namespace", "kube-system", "ServiceAccount headroom-system/headroom needs list on configmaps")
			eventually(t, 20*time.Second, "it is ready", p.Ready)
		}, ""},
		"making events: they are lost, and counted": {rule("clusterrole/headroom", 3), func(t *testing.T, p *serve.Process) {
			full := tenGi()
			full.OtherUsedBytes = 9 << 30
			startNode(t, simnode.NodeSpec{Name: "sim-full", Config: full})
			eventually(t, 20*time.Second, "an Event is dropped", func() bool { return p.Metric(t, "headroom_events_dropped_total") > 0 })
			logged(t, p.Log, "Event not written", "cannot create events", "headroom-system")
		}, ""},
		"replicasets: their pods' warnings are said on them": {rule("clusterrole/headroom", 5), func(t *testing.T, p *serve.Process) {
			warnedOwner(t, p, "ReplicaSet", "cannot get replicasets.apps", func(ns string) { create(t, ns, heldDeployment(1, "example.com/big:1")) })
		}, ""},
		"jobs: their pods' warnings are said on them": {rule("clusterrole/headroom", 6), func(t *testing.T, p *serve.Process) {
			warnedOwner(t, p, "Job", "cannot get jobs.batch", func(ns string) {
				create(t, ns, heldCronJob("example.com/big:1"))
				runNow(t, ns, "one")
			})
		}, ""},
		"patching nodes: a taint stays, and that is counted": {rule("clusterrole/headroom", 4), func(t *testing.T, p *serve.Process) {
			setPolicy(t, "mode: Warn", "steer: Off") // which has all taints taken away
			oldTaint(t, "sim-1")
			eventually(t, 20*time.Second, "a taint can't be taken away", func() bool { return p.Metric(t, "headroom_steering_taints_total", "outcome=failed") > 0 })
			logged(t, p.Log, "Taints of a node not written", "cannot patch nodes at cluster scope: ServiceAccount headroom-system/headroom needs patch on nodes")
		}, ""},
		"making the Lease: nobody leads":  {rule("-n=headroom-system role/headroom", 4), nobodyLeads("create"), ""},
		"reading the Lease: nobody leads": {rule("-n=headroom-system role/headroom", 5), nobodyLeads("get"), ""},
		"making the registration: it ends and says what is missing": {
			rule("clusterrole/headroom-out-of-cluster", 0), nil,
			`error: .*cannot create validatingwebhookconfigurations.admissionregistration.k8s.io at cluster scope: ServiceAccount headroom-system/headroom needs create on .*`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kubectl(t, "delete", "secret", "-n", "headroom-system", "headroom-ca", "--ignore-not-found")
			kubectl(t, "delete", "lease", "-n", "headroom-system", controller.LeaseName, "--ignore-not-found")
			setPolicy(t, "mode: Warn")
			without(t, tc.without[0], tc.without[1])
			p := startUnmeasured(t, serve.Options{NotReady: true, Args: []string{"--sync-timeout", "3s"}})
			if tc.ends != "" {
				p.Wait(t, 30*time.Second)
				matches(t, "the end", errorLines(p.Log()), tc.ends)
				if p.ExitCode() != 2 {
					t.Errorf("exit code %d, want 2", p.ExitCode())
				}
				return
			}
			eventually(t, 20*time.Second, "it runs", func() bool { return healthy(p) })
			tc.breaks(t, p)
		})
	}
}

func healthy(p *serve.Process) bool {
	response, err := http.Get(p.HealthURL + "/healthz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func neverReady(t *testing.T, p *serve.Process) {
	t.Helper()
	logged(t, p.Log, "cannot", "secrets")
	for range 20 {
		if p.Ready() {
			t.Fatal("it is ready")
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func nobodyLeads(verb string) func(*testing.T, *serve.Process) {
	return func(t *testing.T, p *serve.Process) {
		t.Helper()
		logged(t, p.Log, "Leader election fails", "cannot "+verb+" leases.coordination.k8s.io")
		if p.Metric(t, "headroom_leader") != 0 {
			t.Error("it leads")
		}
		eventually(t, 20*time.Second, "it is ready nevertheless", p.Ready)
	}
}

// without takes a rule away until the test ends.
func without(t *testing.T, role, index string) {
	t.Helper()
	args := append([]string{"patch", "--type=json", "-p", `[{"op":"remove","path":"/rules/` + index + `"}]`}, strings.Fields(role)...)
	kubectl(t, args...)
	t.Cleanup(func() {
		if _, stderr, err := shared.plane.Kubectl(context.Background(), "apply", "--server-side", "--force-conflicts", "-k", manifests+"dev"); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
	})
}
