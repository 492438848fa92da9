// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"net/http"
	"runtime"

	"github.com/go-logr/logr"
	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/webhook"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
)

// headroom is the handler and the server of `headroom serve` over the ledger of a fleet that nothing feeds.
func headroom(ctx context.Context, l *listener, o Options) (func() error, error) {
	if err := o.Fleet.Validate(); err != nil {
		return nil, err
	}
	evaluator := fleet.Evaluator(o.Fleet.Ledger())
	collectAsServe(ctx)
	return serveHandler(ctx, l, evaluator), nil
}

// sameDecoding is the same, but that the decision is made beforehand: of a pod with images that load is made with.
func sameDecoding(ctx context.Context, l *listener, o Options) (func() error, error) {
	o.Fleet.Nodes = min(o.Fleet.Nodes, 100)
	if err := o.Fleet.Validate(); err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	pod.Namespace = "shop"
	for _, image := range fleet.Wanted()[:2] {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "container", Image: image})
	}
	once := fleet.Evaluator(o.Fleet.Ledger()).Evaluate(fit.RequestOf(pod))
	collectAsServe(ctx)
	return serveHandler(ctx, l, decided(once)), nil
}

// collectAsServe has the process look for garbage when `headroom serve` does. The peers of others do as Go does by itself.
func collectAsServe(ctx context.Context) {
	runtime.GC() // What is held is known from here on.
	garbage := controller.Garbage{Percent: controller.DefaultGarbagePercent, Synced: func() bool { return true }}
	go func() { _ = garbage.Start(ctx) }() // it has no error
}

// decided is an evaluator that has made up its mind.
type decided fit.Decision

// Evaluate implements [webhook.Evaluator].
func (d decided) Evaluate(fit.Request) fit.Decision { return fit.Decision(d) }

func serveHandler(ctx context.Context, l *listener, evaluator webhook.Evaluator) func() error {
	mux := http.NewServeMux()
	mux.Handle(webhook.PodsPath, webhook.NewPods(webhook.HandlerOptions{
		Limits:        webhook.NewLimits(), // as in `headroom serve`: without, each request is judged in a new goroutine
		Evaluator:     evaluator,
		NamespaceMode: func(string) string { return "" },
		Want:          func([]imageref.Ref) {},
		Metrics:       webhook.NewMetrics(prometheus.NewRegistry()),
		Log:           logr.Discard(),
	}))
	server := &webhook.Server{Listener: l, GetCertificate: l.getCertificate, Handler: mux, Log: logr.Discard()}
	return func() error { return server.Run(ctx) }
}
