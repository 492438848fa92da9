// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/registry"
	"github.com/headroom-dev/headroom/webhook"
)

func newServeCommand() *cobra.Command {
	o := newServeOptions()
	command := &cobra.Command{
		Use:   "serve",
		Short: "Watch nodes, pods and kubelets, and answer admission reviews",
		Long: `Watch nodes, pods and kubelets, keep a ledger of every node's image storage, and
answer admission reviews by it.

In a cluster it serves the Service headroom. Out of it, name a --kubeconfig and
a --webhook-url that the API server can reach: the webhook is registered for the
time the process runs, and removed when it ends. manifests/dev has what that
needs.

What is decided about pods is in the ConfigMap headroom-policy in the namespace
headroom-system; a change is in force within two seconds.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := errors.Join(o.complete(), o.validate()); err != nil {
				return err
			}
			return serve(command.Context(), o, o.logs.logger(command.ErrOrStderr()))
		},
	}
	o.addFlags(command.Flags())
	return command
}

// serve is the process, from top to bottom: connect, make the parts, give them
// to the manager, run.
func serve(ctx context.Context, o *serveOptions, log logr.Logger) error {
	ctrl.SetLogger(o.logs.forManager(log))
	ctx = logr.NewContext(ctx, log)
	config, err := o.connection.config()
	if err != nil {
		return err
	}
	if err := o.portsFree(); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Logger:                  o.logs.forManager(log),
		Metrics:                 metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:  o.healthAddress,
		GracefulShutdownTimeout: new(o.shutdownDelay + 20*time.Second),
	})
	if err != nil {
		return err
	}
	p, err := newParts(o, log, config, client)
	if err != nil {
		return err
	}
	if err := p.addTo(mgr); err != nil {
		return err
	}
	log.Info("Starting", "version", version, "apiServer", config.Host,
		"webhook", o.webhookAddress, "health", o.healthAddress, "metrics", o.metricsAddress)
	if silent := answers(ctx, client); silent != nil && ctx.Err() == nil {
		log.Error(plain(silent), "The API server does not answer, trying again until the sync timeout", "timeout", o.syncTimeout)
	}
	if err := mgr.Start(ctx); err != nil {
		if silent := answers(context.WithoutCancel(ctx), client); silent != nil {
			return fmt.Errorf("%w: %w", err, plain(silent))
		}
		return plain(err)
	}
	log.Info("Ended")
	return nil
}

// parts are what a process is made of. Every replica runs all of them; they
// meet in the ledger only.
type parts struct {
	ledger    *ledger.Ledger
	policy    *controller.PolicySource
	learner   *controller.Learner
	pulled    *controller.PulledSizes // nil where events are not watched
	collector *controller.Collector
	webhook   *webhook.Server
	// runnables have nothing to do once they are told to end; finishing have.
	runnables, finishing []manager.Runnable
}

func newParts(o *serveOptions, log logr.Logger, config *rest.Config, client kubernetes.Interface) (*parts, error) {
	p := &parts{ledger: ledger.New()}
	events := controller.NewEvents(client)
	alert := controller.NewAlert(log)
	lines := controller.NewLineWatch(events)
	var err error
	p.policy, err = controller.NewPolicySource(client, controller.PolicySourceOptions{SyncTimeout: o.syncTimeout, Events: events})
	if err != nil {
		return nil, err
	}
	nodes := []controller.NodeListener{alert, lines}
	var pods []controller.PodListener

	p.learner = p.newLearner(metrics.Registry)
	poller, err := newPoller(o, log, config, client, p.ledger, alert, lines, p.learner)
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
	informers, err := controller.NewInformers(client, p.ledger, controller.InformerOptions{
		ResyncPeriod: o.resyncPeriod, SyncTimeout: o.syncTimeout, Nodes: nodes, Pods: pods,
	})
	if err != nil {
		return nil, err
	}
	p.runnables = append(p.runnables, events, p.policy, informers, controller.Ahead{Snapshot: p.ledger.Snapshot})
	p.collector = newCollector(o, p, poller, alert, events, resolver)
	return p, p.addWebhook(o, log, config, client, resolver)
}

func newPoller(o *serveOptions, log logr.Logger, config *rest.Config, client kubernetes.Interface, l *ledger.Ledger, samples ...controller.SampleListener) (*controller.Poller, error) {
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
	return controller.NewPoller(kubelets, l, controller.PollerOptions{
		Interval: o.kubeletInterval, PendingInterval: o.kubeletPendingInterval, Concurrency: o.kubelets.concurrency,
		ViaAPIServer: o.kubelets.via == kubeletViaAPIServer, Samples: samples, Log: log,
	}), nil
}

func newCollector(o *serveOptions, p *parts, poller *controller.Poller, alert *controller.Alert, events *controller.Events, resolver *registry.Resolver) *controller.Collector {
	options := controller.CollectorOptions{
		Snapshot: p.ledger.Snapshot,
		Account: func(s *ledger.Snapshot, row *ledger.NodeRow, now time.Time) ledger.Account {
			return fit.Now(s, row, p.policy.Policy(), now).Account
		},
		PerNode: o.nodeMetrics, Poller: poller, Policy: p.policy, Alert: alert, Events: events,
		Learner: p.learner, Pulled: p.pulled,
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

// readiness is what must hold before anybody is sent here, in a cluster by
// /readyz, out of it by registering only then: an empty ledger has no opinion, and
// before the policy is read everything is admitted.
func (p *parts) readiness() map[string]healthz.Checker {
	return map[string]healthz.Checker{
		"ledger": func(*http.Request) error {
			if !p.ledger.Snapshot().Synced() {
				return errors.New("the first lists of nodes and pods are not in the ledger yet")
			}
			return nil
		},
		"policy": func(*http.Request) error {
			select {
			case <-p.policy.Synced():
				return nil
			default:
				return errors.New("the policy has not been read yet")
			}
		},
		"webhook": p.webhook.Check,
	}
}

// ready reports whether all of it holds.
func (p *parts) ready() bool {
	for _, check := range p.readiness() {
		if check(nil) != nil {
			return false
		}
	}
	return true
}

func register(c prometheus.Collector) error {
	if err := metrics.Registry.Register(c); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}
