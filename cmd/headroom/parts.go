// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/registry"
	"github.com/headroom-dev/headroom/webhook"
)

// parts are what a process is made of. Every replica runs all of them, but for
// what the election gives to one; they meet in the ledger only.
type parts struct {
	ledger     *ledger.Ledger
	policy     *controller.PolicySource
	namespaces *controller.Namespaces
	autoscaler *controller.AutoscalerStatus
	informers  *controller.Informers
	learner    *controller.Learner
	pulled     *controller.PulledSizes // nil where events are not watched
	delay      *controller.InformerDelay
	taints     *controller.NodeTaints
	steering   *controller.Steering
	election   *controller.Election
	collector  *controller.Collector
	fleet      *fleetKeeper
	notices    *controller.Notices
	webhook    *webhook.Server
	// runnables have nothing to do once they are told to end; finishing have.
	runnables, finishing []manager.Runnable
}

func newParts(o *serveOptions, log logr.Logger, config *rest.Config, client kubernetes.Interface) (*parts, error) {
	p := &parts{ledger: ledger.New(), delay: controller.NewInformerDelay(metrics.Registry, log)}
	p.runnables = append(p.runnables, controller.NewPublisher(p.ledger, metrics.Registry), controller.Garbage{Percent: o.gcPercent, Synced: func() bool { return p.ledger.Snapshot().Synced() }})
	events := controller.NewEvents(client)
	alert := controller.NewAlert(log)
	lines := controller.NewLineWatch(events)
	var err error
	p.policy, err = controller.NewPolicySource(client, controller.PolicySourceOptions{SyncTimeout: o.syncTimeout, Events: events})
	if err != nil {
		return nil, err
	}
	if p.namespaces, err = controller.NewNamespaces(client, o.syncTimeout); err != nil {
		return nil, err
	}
	if p.autoscaler, err = controller.NewAutoscalerStatus(client, p.ledger); err != nil {
		return nil, err
	}
	if p.notices, err = newNotices(config, events, log); err != nil {
		return nil, err
	}
	if err := p.addSteering(o, log, config, client, events); err != nil {
		return nil, err
	}
	p.fleet = newFleetKeeper(p.ledger.Snapshot, p.policy.Policy, metrics.Registry, log)
	nodes := []controller.NodeListener{alert, lines, p.taints}
	pods := []controller.PodListener{p.delay}

	p.learner = p.newLearner(metrics.Registry)
	poller, err := p.newPoller(o, log, config, client, alert, lines, p.learner)
	if err != nil {
		return nil, err
	}
	if poller != nil {
		// The learner comes first: it predicts what a sample then shows.
		nodes, pods = append(nodes, p.learner, poller), append(pods, p.learner, poller)
		p.runnables = append(p.runnables, poller)
	}
	if o.pulledEvents {
		p.pulled = controller.NewPulledSizes(client, p.ledger)
		p.runnables = append(p.runnables, p.pulled)
	}
	resolver, err := o.registries.resolver(p.policy.Policy, p.ledger, o.sizeWaiters, func(err error) {
		log.Error(err, "What registries are asked with or told is not as it should be")
	})
	if err != nil {
		return nil, err
	}
	if resolver != nil {
		wants := controller.NewWants(resolver, func() controller.Evidence { return p.ledger.Snapshot() })
		nodes, pods = append(nodes, wants), append(pods, wants)
		p.runnables = append(p.runnables, wants, manager.RunnableFunc(resolver.Run))
	}
	watches, err := controller.LeanClient(client, config)
	if err != nil {
		return nil, err
	}
	p.informers, err = controller.NewInformers(watches, p.ledger, controller.InformerOptions{
		ResyncPeriod: o.resyncPeriod, SyncTimeout: o.syncTimeout, Nodes: nodes, Pods: pods,
	})
	if err != nil {
		return nil, err
	}
	p.runnables = append(p.runnables, events, p.notices, p.policy, p.namespaces, p.autoscaler, p.informers, controller.Ahead{Snapshot: p.ledger.Snapshot}, p.fleet)
	p.collector = newCollector(o, p, poller, alert, events, resolver)
	return p, p.addWebhook(o, log, config, client, resolver)
}

func (p *parts) newPoller(o *serveOptions, log logr.Logger, config *rest.Config, client kubernetes.Interface, samples ...controller.SampleListener) (*controller.Poller, error) {
	kubelets, err := o.kubelets.client(config, client)
	if err != nil {
		return nil, err
	}
	switch {
	case kubelets == nil:
		log.Info("Kubelets are not asked (--kubelet-via=off): image storage is taken from the policy or assumed, and no pod is refused on an assumption")
		return nil, nil
	case o.kubelets.via == kubeletViaDirect && o.kubelets.insecureTLS:
		log.Info("Kubelets' serving certificates are not checked (--kubelet-insecure-tls): whoever can take a node's address can pose as its kubelet, and gets a token that can read kubelets' statistics and settings")
	case o.kubelets.via == kubeletViaAPIServer:
		log.Info("Kubelets are asked through the API server (--kubelet-via=apiserver): the right this needs, nodes/proxy, also allows to run commands in every pod")
	}
	// A pod's host name is its own name. Without one there are no other replicas to take turns with.
	pod, _ := os.Hostname()
	return controller.NewPoller(kubelets, p.ledger, controller.PollerOptions{
		Interval: o.kubeletInterval, PendingInterval: o.kubeletPendingInterval, Concurrency: o.kubelets.concurrency,
		MaxStaleness: func() time.Duration { return p.policy.Policy().MaxStaleness },
		Namespace:    policy.Namespace, Pod: pod,
		ViaAPIServer: o.kubelets.via == kubeletViaAPIServer, Samples: samples, Log: log,
	}), nil
}

func newCollector(o *serveOptions, p *parts, poller *controller.Poller, alert *controller.Alert, events *controller.Events, resolver *registry.Resolver) *controller.Collector {
	options := controller.CollectorOptions{
		Snapshot: p.ledger.Snapshot,
		Accounts: func(s *ledger.Snapshot, now time.Time) controller.NodeAccounts {
			return fit.Accounts(s, p.policy.Policy(), now)
		},
		PerNode: o.nodeMetrics, Poller: poller, Policy: p.policy, Alert: alert, Events: events,
		Learner: p.learner, Pulled: p.pulled, Taints: p.taints, Election: p.election,
	}
	if resolver != nil {
		options.Registries = resolver.Stats
	}
	return controller.NewCollector(options)
}

// addTo registers everything with the manager: what runs, what is measured, and
// what /healthz and /readyz say.
func (p *parts) addTo(mgr manager.Manager) error {
	errs := []error{
		register(p.collector),
		mgr.AddHealthzCheck("ping", func(*http.Request) error { return nil }),
	}
	for name, check := range p.readiness() {
		errs = append(errs, mgr.AddReadyzCheck(name, check))
	}
	for _, runnable := range p.runnables {
		errs = append(errs, mgr.Add(everyReplica{impatient{runnable}}))
	}
	for _, runnable := range p.finishing {
		errs = append(errs, mgr.Add(everyReplica{runnable}))
	}
	return errors.Join(errs...)
}

func register(c prometheus.Collector) error {
	if err := metrics.Registry.Register(c); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}
