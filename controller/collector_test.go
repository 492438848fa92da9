// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/registry"
)

// collectorOf returns a collector over a ledger of three nodes: a is measured, b is declared, nothing is known of c.
func collectorOf(t *testing.T, perNode bool) *Collector {
	t.Helper()
	l := ledger.New()
	for _, name := range []string{"a", "b", "c"} {
		l.SetNode(ledger.Node{Node: placement.Node{Name: name}})
	}
	l.MarkSynced()
	accounts := map[string]ledger.Account{
		"a": {
			Tier: ledger.Measured, SampleAge: 7 * time.Second, CapacityBytes: 1000,
			Measured: estimate.Exactly(400), Pending: estimate.Between(0, 150, 300), Available: estimate.Between(100, 250, 400),
			Reclaimable: estimate.Between(20, 30, 50),
			Inodes:      64, InodesFree: 0, InodeLine: 3,
		},
		"b": {Tier: ledger.Declared, CapacityBytes: 2000, Measured: estimate.Between(0, 500, 900)},
		"c": {Tier: ledger.NoTier},
	}
	source, err := NewPolicySource(fake.NewClientset(), PolicySourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	exceptions := "exceptions:\n- {name: a, namespaces: [a], reason: x, until: 2025-12-31}\n" +
		"- {name: b, namespaces: [a], reason: x, until: 2026-01-01}\n- {name: c, namespaces: [a], reason: x, until: 2026-01-02}\n"
	source.set(configMap("uid", "1", enforce+exceptions))
	source.set(configMap("uid", "2", broken))
	poller := NewPoller(countingKubelets{}, newSamples(), PollerOptions{})
	poller.errors[kubelet.ReasonTimeout] = 3
	poller.polls = 7
	poller.NodeSet(linuxNode("l", "1", "boot"), readyRow)
	windows := linuxNode("w", "1", "boot")
	windows.Status.NodeInfo.OperatingSystem = "windows"
	poller.NodeSet(windows, ledger.Node{})
	return NewCollector(CollectorOptions{
		Snapshot: l.Snapshot,
		Accounts: func(_ *ledger.Snapshot, now time.Time) NodeAccounts {
			if !now.Equal(t0) {
				t.Errorf("accounts at %v", now)
			}
			return toldAccounts(accounts)
		},
		PerNode: perNode,
		Poller:  poller,
		Policy:  source,
		Alert:   NewAlert(logr.Discard()),
		Events:  NewEvents(fake.NewClientset()),
		Registries: func() registry.Stats {
			return registry.Stats{Outcomes: map[registry.Outcome]uint64{registry.Resolved: 5}, Queued: 2, Remembered: 9}
		},
		Learner: newSchool(t).learner,
		Pulled:  NewPulledSizes(nil, l),
		Now:     func() time.Time { return t0 },
	})
}

// countingKubelets have sent 99 bytes.
type countingKubelets struct{ Kubelets }

func (countingKubelets) ReadBytes() (uint64, bool) { return 99, true }

func TestCollector(t *testing.T) {
	const want = `
# HELP headroom_kubelet_nodes Nodes whose kubelet is asked, by how often: failing, ever more seldom; pulling, at the pending interval; near a line or not known yet, at the interval; far from any line, as seldom as maxStaleness allows.
# TYPE headroom_kubelet_nodes gauge
headroom_kubelet_nodes{pace="failing"} 0
headroom_kubelet_nodes{pace="far"} 0
headroom_kubelet_nodes{pace="near"} 1
headroom_kubelet_nodes{pace="pulling"} 0
# HELP headroom_kubelet_nodes_not_asked Nodes whose kubelet is not asked, by reason: no_address, windows, virtual.
# TYPE headroom_kubelet_nodes_not_asked gauge
headroom_kubelet_nodes_not_asked{reason="no_address"} 0
headroom_kubelet_nodes_not_asked{reason="virtual"} 0
headroom_kubelet_nodes_not_asked{reason="windows"} 1
# HELP headroom_kubelet_polls_total Questions to kubelets for a sample.
# TYPE headroom_kubelet_polls_total counter
headroom_kubelet_polls_total 7
# HELP headroom_kubelet_polls_waiting Nodes that should be asked now, but wait until fewer others are. If it stays above zero, raise --kubelet-concurrency.
# TYPE headroom_kubelet_polls_waiting gauge
headroom_kubelet_polls_waiting 0
# HELP headroom_kubelet_read_bytes_total Bytes that came from kubelets, with TLS and HTTP. Absent where they are asked through the API server.
# TYPE headroom_kubelet_read_bytes_total counter
headroom_kubelet_read_bytes_total 99
# HELP headroom_ledger_nodes Nodes in the ledger, by how good their data is: Measured, Declared, Assumed, None.
# TYPE headroom_ledger_nodes gauge
headroom_ledger_nodes{tier="Assumed"} 0
headroom_ledger_nodes{tier="Declared"} 1
headroom_ledger_nodes{tier="Measured"} 1
headroom_ledger_nodes{tier="None"} 1
# HELP headroom_ledger_synced Whether the first lists of nodes and pods are in the ledger: 1 or 0.
# TYPE headroom_ledger_synced gauge
headroom_ledger_synced 1
# HELP headroom_node_image_available_bytes What is available there before pending pulls are taken off: measured, or an estimate where ledger_nodes counts the node as another tier.
# TYPE headroom_node_image_available_bytes gauge
headroom_node_image_available_bytes{node="a"} 400
headroom_node_image_available_bytes{node="b"} 500
# HELP headroom_node_image_capacity_bytes Size of the file system that holds a node's images: measured, declared or assumed.
# TYPE headroom_node_image_capacity_bytes gauge
headroom_node_image_capacity_bytes{node="a"} 1000
headroom_node_image_capacity_bytes{node="b"} 2000
# HELP headroom_node_image_inodes Inodes of the file system that holds a node's images. Absent where the kubelet does not tell.
# TYPE headroom_node_image_inodes gauge
headroom_node_image_inodes{node="a"} 64
# HELP headroom_node_image_inodes_free Inodes that are free there. Absent where the kubelet does not tell.
# TYPE headroom_node_image_inodes_free gauge
headroom_node_image_inodes_free{node="a"} 0
# HELP headroom_node_image_pending_bytes What the images of pods bound to a node will still take there, likely value.
# TYPE headroom_node_image_pending_bytes gauge
headroom_node_image_pending_bytes{node="a"} 150
headroom_node_image_pending_bytes{node="b"} 0
headroom_node_image_pending_bytes{node="c"} 0
# HELP headroom_node_image_reclaimable_bytes What the kubelet could free there by deleting all images that no pod uses, by bound: low, likely, high. Not to be summed over bounds.
# TYPE headroom_node_image_reclaimable_bytes gauge
headroom_node_image_reclaimable_bytes{bound="high",node="a"} 50
headroom_node_image_reclaimable_bytes{bound="likely",node="a"} 30
headroom_node_image_reclaimable_bytes{bound="low",node="a"} 20
headroom_node_image_reclaimable_bytes{bound="high",node="b"} 0
headroom_node_image_reclaimable_bytes{bound="likely",node="b"} 0
headroom_node_image_reclaimable_bytes{bound="low",node="b"} 0
# HELP headroom_node_image_sample_age_seconds Age of a node's last sample. Absent where there is none.
# TYPE headroom_node_image_sample_age_seconds gauge
headroom_node_image_sample_age_seconds{node="a"} 7
# HELP headroom_policy_exceptions Exceptions of the policy in force, by state: active, or expired, which do nothing any more.
# TYPE headroom_policy_exceptions gauge
headroom_policy_exceptions{state="active"} 2
headroom_policy_exceptions{state="expired"} 1
# HELP headroom_policy_info The policy in force, always 1: where it comes from (pending, configmap, defaults, fallback), its version and mode.
# TYPE headroom_policy_info gauge
headroom_policy_info{mode="Enforce",source="configmap",version="VERSION"} 1
# HELP headroom_policy_loads_total Versions of the policy's ConfigMap seen, by result: valid, invalid, deleted.
# TYPE headroom_policy_loads_total counter
headroom_policy_loads_total{result="deleted"} 0
headroom_policy_loads_total{result="invalid"} 1
headroom_policy_loads_total{result="valid"} 1
# HELP headroom_policy_valid Whether the text in the policy's ConfigMap is valid and in force: 1 or 0.
# TYPE headroom_policy_valid gauge
headroom_policy_valid 0
# HELP headroom_pools_learned Node pools of which pulls have taught something, by what: kept, how much of compressed layers stays on the disk; reported, bytes on disk for each reported byte; lazy, that disks hold less than their images need, so that no low bound is believed there.
# TYPE headroom_pools_learned gauge
headroom_pools_learned{what="kept"} 0
headroom_pools_learned{what="lazy"} 0
headroom_pools_learned{what="reported"} 0
# HELP headroom_pulled_images Images of which the size is remembered that a kubelet's event told.
# TYPE headroom_pulled_images gauge
headroom_pulled_images 0
# HELP headroom_registry_requests_total Answers about images whose size was wanted, by outcome. For denied_host and dropped nobody was asked.
# TYPE headroom_registry_requests_total counter
headroom_registry_requests_total{outcome="resolved"} 5
`
	c := collectorOf(t, true)
	text := strings.ReplaceAll(want, "VERSION", c.options.Policy.State().Version)
	var names []string
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, "# TYPE "); found {
			names = append(names, strings.Fields(rest)[0])
		}
	}
	if err := testutil.CollectAndCompare(c, strings.NewReader(text), names...); err != nil {
		t.Error(err)
	}
	for reason, n := range c.options.Poller.Errors() {
		if n != 0 && (reason != kubelet.ReasonTimeout || n != 3) {
			t.Errorf("%d poll errors for %s", n, reason)
		}
	}
	if n := testutil.CollectAndCount(c, "headroom_kubelet_poll_errors_total"); n != len(kubelet.Reasons()) {
		t.Errorf("poll errors have %d series, want one for each of %d reasons", n, len(kubelet.Reasons()))
	}
}

func TestCollectorIsClean(t *testing.T) {
	for name, c := range map[string]*Collector{
		"everything":    collectorOf(t, true),
		"without nodes": collectorOf(t, false),
		"ledger only": NewCollector(CollectorOptions{
			Snapshot: ledger.New().Snapshot, Accounts: func(*ledger.Snapshot, time.Time) NodeAccounts { return toldAccounts{} },
		}),
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(c)
			problems, err := testutil.GatherAndLint(registry)
			if err != nil || len(problems) > 0 {
				t.Errorf("lint: %v, %v", problems, err)
			}
		})
	}
	if n := testutil.CollectAndCount(collectorOf(t, false), "headroom_node_image_capacity_bytes", "headroom_node_image_pending_bytes",
		"headroom_node_image_reclaimable_bytes", "headroom_node_image_inodes"); n != 0 {
		t.Errorf("%d series with node names, though they are off", n)
	}
}

// toldAccounts are those of nodes by name.
type toldAccounts map[string]ledger.Account

func (a toldAccounts) Of(row *ledger.NodeRow) ledger.Account { return a[row.Name] }

func (a toldAccounts) Disk(row *ledger.NodeRow) ledger.Account {
	return ledger.Account{Tier: a[row.Name].Tier}
}
