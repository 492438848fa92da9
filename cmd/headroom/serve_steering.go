// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook"
)

// leaseTimeout keeps one request that hangs from costing the lease: there is time for a second one.
const leaseTimeout = 5 * time.Second

// addSteering makes what sends bindings back, on every replica, and what takes
// the taints away again: old ones on the replica that leads, its own on each
// that ends.
func (p *parts) addSteering(o *serveOptions, log logr.Logger, config *rest.Config, client kubernetes.Interface, events *controller.Events) error {
	p.taints = controller.NewNodeTaints(client, controller.NodeTaintsOptions{
		Policy: p.policy.Policy, Metrics: controller.NewSteeringMetrics(metrics.Registry), Log: log,
	})
	p.steering = controller.NewSteering(client, p.taints, events, nil)
	p.election = &controller.Election{Namespace: policy.Namespace, Lead: p.taints.Sweep, Log: log}
	if o.leaderElect {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		p.election.Identity = host + "_" + string(uuid.NewUUID())
		config := rest.CopyConfig(config)
		config.Timeout = leaseTimeout
		leases, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		p.election.Leases = leases.CoordinationV1()
	}
	p.runnables, p.finishing = append(p.runnables, p.steering), append(p.finishing, p.election, manager.RunnableFunc(p.taints.TakeBack))
	return nil
}

// bindings is what the webhook for bindings works with.
func (p *parts) bindings() webhook.Bindings {
	return webhook.Bindings{
		Unsteered: p.evaluator().Unsteered,
		Steer:     p.evaluator().Steer,
		SendBack: func(b webhook.SendBack) fit.Reason {
			switch p.steering.SendBack(controller.SendBack(b)) {
			case controller.SendBackAgreed:
				return ""
			case controller.SendBackLimited:
				return webhook.LimitReached
			case controller.SendBackBusy:
				return webhook.Busy
			case controller.SendBackNotReady:
				return webhook.NotReady
			default:
				return webhook.NotReady
			}
		},
	}
}
