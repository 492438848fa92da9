// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/headroom-dev/headroom/webhook"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// controllerRuntime admits at once.
func controllerRuntime(ctx context.Context, l *listener, _ Options) (func() error, error) {
	return runManagersServer(ctx, l, admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Allowed("")
	}))
}

// controllerRuntimeTyped is the handler in controller-runtime's book and in most repositories: it decodes the pod.
func controllerRuntimeTyped(ctx context.Context, l *listener, _ Options) (func() error, error) {
	decoder := admission.NewDecoder(scheme.Scheme)
	return runManagersServer(ctx, l, admission.HandlerFunc(func(_ context.Context, req admission.Request) admission.Response {
		pod := &corev1.Pod{}
		if err := decoder.Decode(req, pod); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		return admission.Allowed("")
	}))
}

// runManagersServer runs the handler on the server that a manager has.
func runManagersServer(ctx context.Context, l *listener, handler admission.Handler) (func() error, error) {
	ctrl.SetLogger(logr.Discard())
	// It takes a port only, so that ours is given up for it.
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	server := ctrlwebhook.NewServer(ctrlwebhook.Options{Host: "127.0.0.1", Port: port, TLSOpts: []func(*tls.Config){func(c *tls.Config) {
		c.MinVersion, c.GetCertificate = tls.VersionTLS13, l.getCertificate
	}}})
	server.Register(webhook.PodsPath, &admission.Webhook{Handler: handler})
	served := make(chan error, 1)
	go func() { served <- server.Start(ctx) }()
	for started := server.StartedChecker(); started(nil) != nil; {
		select {
		case err := <-served:
			return nil, fmt.Errorf("controller-runtime's server: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return func() error { return ended(ctx, <-served) }, nil
}
