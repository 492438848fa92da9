// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
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
		PprofBindAddress:        o.pprofAddress,
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
