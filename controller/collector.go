// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/registry"
)

const metricPrefix = "headroom"

// NodeAccounts draw up accounts of many nodes, of which Disk knows the tier and no more than the disk; *ledger.Accounts do.
type NodeAccounts interface {
	Of(row *ledger.NodeRow) ledger.Account
	Disk(row *ledger.NodeRow) ledger.Account
}

// CollectorOptions are what a Collector reads. Only Snapshot and Accounts are needed; what is nil gives no metrics.
type CollectorOptions struct {
	Snapshot func() *ledger.Snapshot
	// Accounts draw up the accounts of a snapshot's nodes by the policy in force.
	Accounts func(s *ledger.Snapshot, now time.Time) NodeAccounts
	// PerNode adds gauges with the label node: nine series for each node.
	PerNode    bool
	Poller     *Poller
	Policy     *PolicySource
	Alert      *Alert
	Events     *Events
	Registries func() registry.Stats
	Learner    *Learner
	Pulled     *PulledSizes
	Taints     *NodeTaints
	Election   *Election
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Collector is a prometheus.Collector. It reads the ledger at scrape time, so that what it shows can't drift from what
// pods are judged by.
type Collector struct {
	options CollectorOptions

	synced, nodes, capacity, available, pending, reclaimable               *prometheus.Desc
	age, inodes, inodesFree                                                *prometheus.Desc
	pollErrors, notAsked, changes, eventsDropped                           *prometheus.Desc
	polls, readBytes, pollPace, pollsWaiting                               *prometheus.Desc
	policyInfo, policyValid, policyLoads, policyExceptions                 *prometheus.Desc
	registryRequests, registryQueued, registryRemembered, registryDeferred *prometheus.Desc
	poolsLearned, pulledImages, taintedNodes, leader                       *prometheus.Desc
}

// NewCollector returns a collector. It registers nothing.
func NewCollector(o CollectorOptions) *Collector {
	if o.Now == nil {
		o.Now = wallClock
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(metricPrefix, "", name), help, labels, nil)
	}
	return &Collector{
		options:   o,
		synced:    desc("ledger_synced", "Whether the first lists of nodes and pods are in the ledger: 1 or 0."),
		nodes:     desc("ledger_nodes", "Nodes in the ledger, by how good their data is: Measured, Declared, Assumed, None.", "tier"),
		capacity:  desc("node_image_capacity_bytes", "Size of the file system that holds a node's images: measured, declared or assumed.", "node"),
		available: desc("node_image_available_bytes", "What is available there before pending pulls are taken off: measured, or an estimate where ledger_nodes counts the node as another tier.", "node"),
		pending:   desc("node_image_pending_bytes", "What the images of pods bound to a node will still take there, likely value.", "node"),
		reclaimable: desc("node_image_reclaimable_bytes", "What the kubelet could free there by deleting all images that no pod uses, by bound: low, likely, high. Not to be summed over bounds.",
			"node", "bound"),
		age: desc("node_image_sample_age_seconds", "Age of a node's last sample. Absent where there is none.", "node"),

		inodes:     desc("node_image_inodes", "Inodes of the file system that holds a node's images. Absent where the kubelet does not tell.", "node"),
		inodesFree: desc("node_image_inodes_free", "Inodes that are free there. Absent where the kubelet does not tell.", "node"),

		pollErrors:    desc("kubelet_poll_errors_total", "Questions to kubelets that failed, by reason.", "reason"),
		polls:         desc("kubelet_polls_total", "Questions to kubelets for a sample."),
		readBytes:     desc("kubelet_read_bytes_total", "Bytes that came from kubelets, with TLS and HTTP. Absent where they are asked through the API server."),
		pollPace:      desc("kubelet_nodes", "Nodes whose kubelet is asked, by how often: failing, ever more seldom; pulling, at the pending interval; near a line or not known yet, at the interval; far from any line, as seldom as maxStaleness allows.", "pace"),
		pollsWaiting:  desc("kubelet_polls_waiting", "Nodes that should be asked now, but wait until fewer others are. If it stays above zero, raise --kubelet-concurrency."),
		notAsked:      desc("kubelet_nodes_not_asked", "Nodes whose kubelet is not asked, by reason: no_address, windows, virtual.", "reason"),
		changes:       desc("node_image_changes_total", "Changes of a node's image storage that were logged, by what changed: listed, measured.", "what"),
		eventsDropped: desc("events_dropped_total", "Events that could not be written to the API server."),

		policyInfo: desc("policy_info", "The policy in force, always 1: where it comes from (pending, configmap, defaults, fallback), its version and mode.",
			"source", "version", "mode"),
		policyValid: desc("policy_valid", "Whether the text in the policy's ConfigMap is valid and in force: 1 or 0."),
		policyLoads: desc("policy_loads_total", "Versions of the policy's ConfigMap seen, by result: valid, invalid, deleted.", "result"),
		policyExceptions: desc("policy_exceptions", "Exceptions of the policy in force, by state: active, or expired, which do nothing any more.",
			"state"),

		registryRequests:   desc("registry_requests_total", "Answers about images whose size was wanted, by outcome. For denied_host and dropped nobody was asked.", "outcome"),
		registryQueued:     desc("registry_queued_images", "Images that wait for a registry to be asked."),
		registryRemembered: desc("registry_remembered_images", "Images whose answer is remembered, or on its way."),
		registryDeferred:   desc("registry_waiting_requests", "Admission requests that wait for a registry's answer."),

		poolsLearned: desc("pools_learned", "Node pools of which pulls have taught something, by what: kept, how much of compressed layers stays on the disk; reported, bytes on disk for each reported byte; lazy, that disks hold less than their images need, so that no low bound is believed there.", "what"),
		pulledImages: desc("pulled_images", "Images of which the size is remembered that a kubelet's event told."),

		taintedNodes: desc("steering_tainted_nodes", "Nodes that have the soft taint which asks the scheduler to prefer others."),
		leader:       desc("leader", "Whether this replica is the one that does what only one should: 1 or 0."),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.synced, c.nodes, c.capacity, c.available, c.pending, c.reclaimable, c.age, c.inodes, c.inodesFree,
		c.pollErrors, c.notAsked, c.changes, c.eventsDropped, c.polls, c.readBytes, c.pollPace, c.pollsWaiting,
		c.policyInfo, c.policyValid, c.policyLoads, c.policyExceptions, c.registryRequests, c.registryQueued, c.registryRemembered, c.registryDeferred,
		c.poolsLearned, c.pulledImages, c.taintedNodes, c.leader,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	out := emitter{ch}
	c.collectLedger(out)
	if p := c.options.Poller; p != nil {
		c.collectPoller(out, p)
	}
	if p := c.options.Policy; p != nil {
		c.collectPolicy(out, p)
	}
	if a := c.options.Alert; a != nil {
		listed, measured := a.Changes()
		out.counter(c.changes, listed, "listed")
		out.counter(c.changes, measured, "measured")
	}
	if e := c.options.Events; e != nil {
		out.counter(c.eventsDropped, e.Dropped())
	}
	if l := c.options.Learner; l != nil {
		for what, n := range l.PoolsLearned() {
			out.gauge(c.poolsLearned, float64(n), what)
		}
	}
	if p := c.options.Pulled; p != nil {
		out.gauge(c.pulledImages, float64(p.Len()))
	}
	if t := c.options.Taints; t != nil {
		out.gauge(c.taintedNodes, float64(t.Tainted()))
	}
	if e := c.options.Election; e != nil {
		out.truth(c.leader, e.Leading())
	}
	if c.options.Registries != nil {
		stats := c.options.Registries()
		for outcome, n := range stats.Outcomes {
			out.counter(c.registryRequests, n, string(outcome))
		}
		out.gauge(c.registryQueued, float64(stats.Queued))
		out.gauge(c.registryRemembered, float64(stats.Remembered))
		out.gauge(c.registryDeferred, float64(stats.Waiting))
	}
}

func (c *Collector) collectLedger(out emitter) {
	s, now := c.options.Snapshot(), c.options.Now()
	out.truth(c.synced, s.Synced())
	tiers := map[ledger.Tier]int{ledger.Measured: 0, ledger.Declared: 0, ledger.Assumed: 0, ledger.NoTier: 0}
	accounts := c.options.Accounts(s, now)
	for row := range s.Nodes() {
		if !c.options.PerNode {
			tiers[accounts.Disk(row).Tier]++
			continue
		}
		account := accounts.Of(row)
		tiers[account.Tier]++
		if account.Tier != ledger.NoTier {
			out.gauge(c.capacity, float64(account.CapacityBytes), row.Name)
			out.gauge(c.available, float64(account.Measured.Likely), row.Name)
			out.gauge(c.reclaimable, float64(account.Reclaimable.Low), row.Name, "low")
			out.gauge(c.reclaimable, float64(account.Reclaimable.Likely), row.Name, "likely")
			out.gauge(c.reclaimable, float64(account.Reclaimable.High), row.Name, "high")
		}
		if account.Inodes > 0 {
			out.gauge(c.inodes, float64(account.Inodes), row.Name)
			out.gauge(c.inodesFree, float64(account.InodesFree), row.Name)
		}
		out.gauge(c.pending, float64(account.Pending.Likely), row.Name)
		if account.Tier == ledger.Measured || account.Stale {
			out.gauge(c.age, account.SampleAge.Seconds(), row.Name)
		}
	}
	for tier, n := range tiers {
		out.gauge(c.nodes, float64(n), string(tier))
	}
}

func (c *Collector) collectPolicy(out emitter, p *PolicySource) {
	inForce, loads := p.inForce.Load(), p.Loads()
	out.gauge(c.policyInfo, 1, string(inForce.state.Source), inForce.state.Version, string(inForce.policy.Mode))
	out.truth(c.policyValid, inForce.state.Valid)
	out.counter(c.policyLoads, loads.Valid, "valid")
	out.counter(c.policyLoads, loads.Invalid, "invalid")
	out.counter(c.policyLoads, loads.Deleted, "deleted")
	expired := len(inForce.policy.Expired(c.options.Now()))
	out.gauge(c.policyExceptions, float64(len(inForce.policy.Exceptions)-expired), "active")
	out.gauge(c.policyExceptions, float64(expired), "expired")
}

// emitter writes constant metrics.
type emitter struct {
	ch chan<- prometheus.Metric
}

func (e emitter) gauge(d *prometheus.Desc, value float64, labels ...string) {
	e.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (e emitter) counter(d *prometheus.Desc, n uint64, labels ...string) {
	e.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func (e emitter) truth(d *prometheus.Desc, fact bool) {
	value := 0.0
	if fact {
		value = 1
	}
	e.gauge(d, value)
}
