// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/registry"
	"github.com/headroom-dev/headroom/webhook"
	"github.com/headroom-dev/headroom/webhook/certificate"
	"github.com/headroom-dev/headroom/webhook/registration"
	"github.com/headroom-dev/headroom/workload"
)

// serviceName is the Service of manifests/base.
const serviceName = "headroom"

// addWebhook makes the server, its certificate and what tells the API server about both.
func (p *parts) addWebhook(o *serveOptions, log logr.Logger, config *rest.Config, client kubernetes.Interface, resolver *registry.Resolver) error {
	configuration := webhook.ConfigurationName
	names := certificate.ServiceNames(serviceName, policy.Namespace)
	if o.registered != nil {
		configuration = registration.ConfigurationName
		var err error
		if names, err = certificate.URLNames(o.registered); err != nil {
			return err
		}
	}
	reviews, err := p.reviews(o, log, resolver)
	if err != nil {
		return err
	}
	source, err := p.certificates(o, log, config, client, configuration, names)
	if err != nil {
		return err
	}
	p.webhook = &webhook.Server{
		Address: o.webhookAddress, GetCertificate: source.GetCertificate, Handler: reviews,
		DrainDelay: o.shutdownDelay, Log: log,
	}
	p.runnables, p.finishing = append(p.runnables, source), append(p.finishing, p.webhook)
	if o.registered != nil {
		p.finishing = append(p.finishing, &registration.Process{
			Client: client, Target: o.registered, Log: log,
			CA: func(ctx context.Context) ([]byte, error) { return p.authority(ctx, o, client) },
		})
	}
	return nil
}

// reviews answers all reviews, and records them where that is asked for.
func (p *parts) reviews(o *serveOptions, log logr.Logger, resolver *registry.Resolver) (http.Handler, error) {
	answering := handlers(p.handlerOptions(o, log, resolver), p.bindings(), p.cluster())
	if o.record == "" {
		return answering, nil
	}
	recorder, err := newRecorder(o.record, o.recordDelay, recorded{
		snapshot: p.ledger.Snapshot, policy: p.policy.InForce, mode: p.namespaces.Mode, newest: p.informers.NewestPod,
		bindings: p.bindings(), cluster: p.cluster(), clock: time.Now,
	}, log)
	if err != nil {
		return nil, err
	}
	log.Info("Reviews are recorded (--record): the files hold requests, and what all pods of the cluster are made of", "folder", o.record)
	p.finishing = append(p.finishing, recorder)
	return recorder.around(answering), nil
}

// certificates is Headroom's own, kept with its caBundle, or the given files'.
func (p *parts) certificates(o *serveOptions, log logr.Logger, config *rest.Config, client kubernetes.Interface, configuration string, names []string) (*certificate.Source, error) {
	if o.certFile != "" {
		return certificate.FromFiles(o.certFile, o.keyFile)
	}
	keeper := &certificate.Keeper{Client: client, Configuration: configuration, SecretNamespace: policy.Namespace, Log: log}
	p.runnables = append(p.runnables, keeper)
	return certificate.SelfSigned(certificate.Options{Config: config, Namespace: policy.Namespace, Names: names, Trusted: keeper.Trusts})
}

// authority is whom the API server is to trust. It waits until this process has
// something to say, see readiness.
func (p *parts) authority(ctx context.Context, o *serveOptions, client kubernetes.Interface) ([]byte, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !p.ready() {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
	if o.certFile != "" {
		return os.ReadFile(o.certFile)
	}
	return certificate.WaitForCA(ctx, client, policy.Namespace)
}

// handlers answers the reviews of every webhook.
func handlers(options webhook.HandlerOptions, bindings webhook.Bindings, cluster webhook.Cluster) http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{webhook.PodsPath, webhook.WorkloadsPath, webhook.BindingsPath, webhook.PolicyPath} {
		mux.Handle(path, handlerAt(path, options, bindings, cluster))
	}
	return mux
}

// handlerAt answers the reviews that are posted to one path.
func handlerAt(path string, options webhook.HandlerOptions, bindings webhook.Bindings, cluster webhook.Cluster) *webhook.Handler {
	switch path {
	case webhook.BindingsPath:
		return webhook.NewBindings(options, bindings)
	case webhook.PolicyPath:
		return webhook.NewPolicy(options, cluster)
	case webhook.PodsPath:
		return webhook.NewPods(options)
	default:
		return webhook.NewWorkloads(options)
	}
}

// evaluator decides by the ledger and the policy of this process.
func (p *parts) evaluator() fit.Evaluator {
	return fit.Evaluator{Snapshot: p.ledger.Snapshot, Policy: p.policy.Policy, Clock: time.Now, Fleet: p.fleet.fleet.Load}
}

func (p *parts) handlerOptions(o *serveOptions, log logr.Logger, resolver *registry.Resolver) webhook.HandlerOptions {
	options := webhook.HandlerOptions{
		Evaluator:     p.evaluator(),
		NamespaceMode: p.namespaces.Mode,
		Templates:     func(kind schema.GroupVersionKind) *workload.Paths { return pathsOf(p.policy.Policy(), kind) },
		NewestPod:     p.informers.NewestPod,
		TreatsAlike: func(namespace string, these, those map[string]string) bool {
			return p.policy.Policy().TreatsAlike(namespace, these, those, time.Now())
		},
		Admitted: p.delay.Admitted,
		Limits:   webhook.NewLimits(),
		Tell:     p.tell,
		Metrics:  webhook.NewMetrics(metrics.Registry),
		Log:      log,
	}
	if resolver != nil {
		sizes := sizes{resolver: resolver, snapshot: p.ledger.Snapshot}
		options.Sizes, options.SizeWait, options.Want = sizes, o.sizeWait, sizes.want
	}
	return options
}

// cluster is what a change of the policy is held against.
func (p *parts) cluster() webhook.Cluster {
	return webhook.Cluster{Policy: p.policy.Policy, Freeze: p.evaluator().Freeze, Workloads: func(namespace string) []webhook.Workload {
		known := p.informers.Workloads(namespace)
		workloads := make([]webhook.Workload, len(known))
		for i, w := range known {
			workloads[i] = webhook.Workload(w)
		}
		return workloads
	}}
}

// sizes asks the resolver for every platform that the cluster has nodes of.
type sizes struct {
	resolver *registry.Resolver
	snapshot func() *ledger.Snapshot
}

// Wait implements [webhook.SizeWaiter].
func (s sizes) Wait(ctx context.Context, images []imageref.Ref) bool {
	return s.resolver.Wait(ctx, images, s.snapshot().Platforms())
}

func (s sizes) want(images []imageref.Ref) {
	platforms := s.snapshot().Platforms()
	for _, image := range images {
		s.resolver.Want(image, platforms...)
	}
}
