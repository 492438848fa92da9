// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/headroom-dev/headroom/hack/lab"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// APIServerOptions say how pods are created through a real API server.
type APIServerOptions struct {
	Part

	Nodes int
	// Rates are how many pods a second are due, one in each turn, for Duration.
	Rates    []float64
	Duration time.Duration
}

// cluster is the control plane and what is needed to measure it.
type cluster struct {
	*APIServerOptions

	plane    *lab.ControlPlane
	client   kubernetes.Interface
	program  string
	headroom *service // in its turn
	// asked is the webhook that is asked about pods, by its name and its process: in its turn.
	asked *askedWebhook
}

type askedWebhook struct {
	name string
	pid  int
}

// settle is how long an API server takes at most to heed a webhook or a policy, or that one is gone.
const settle = 3 * time.Second

// APIServer creates pods through a real API server: by turns without any admission, with a ValidatingAdmissionPolicy, with a
// webhook that admits at once and with the real Headroom.
func APIServer(ctx context.Context, o APIServerOptions) (_ *result.APIServer, err error) {
	r := &result.APIServer{Run: o.begin(), Nodes: o.Nodes}
	c := &cluster{APIServerOptions: &o}
	if c.program, err = o.buildHeadroom(ctx); err != nil {
		return nil, err
	}
	c.plane, err = lab.StartControlPlane(ctx, lab.ControlPlaneOptions{
		Dir: filepath.Join(o.Dir, "lab"), Out: o.Out, Scheduler: true,
		// Nodes without a controller manager would keep the taint not-ready that they are born with.
		APIServerArgs: []string{"--disable-admission-plugins=TaintNodesByCondition"},
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if stopErr := c.plane.Stop(); err == nil {
			err = stopErr
		}
	}()
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	ways := []string{result.WayNone, result.WayVAP, result.WayWebhook, result.WayHeadroom}
	err = o.turns(len(ways)*len(o.Rates), func(round, i int) error {
		way, rate := ways[i%len(ways)], o.Rates[i/len(ways)]
		s, err := c.turn(ctx, way, rate)
		if err != nil {
			return fmt.Errorf("%s at %v pods a second: %w", way, rate, err)
		}
		s.Round = round
		r.Samples = append(r.Samples, *s)
		o.say("round %d: %3.0f pods/s, %-18s p50 %.1f ms, p99 %.1f ms, %.0f of %.0f calls within 5 ms, API server %.2f and webhook %.2f ms CPU a pod, load %.1f", round+1, rate, way, s.Latency.P50/1000,
			s.Latency.P99/1000, s.Within5ms, s.Calls, s.APIServerCPUSeconds/float64(s.Pods)*1000, s.WebhookCPUSeconds/float64(s.Pods)*1000, s.LoadAverage)
		return nil
	})
	r.LoadAfter = process.LoadAverage()
	return r, err
}

// turn creates pods in one way at one rate.
func (c *cluster) turn(ctx context.Context, way string, rate float64) (_ *result.Creation, err error) {
	leave, err := c.enter(ctx, way)
	if err != nil {
		return nil, err
	}
	defer func() {
		if leaveErr := leave(); err == nil {
			err = leaveErr
		}
	}()
	before, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	outcome, err := load.Steady(ctx, rate, c.Duration, c.creator())
	if err != nil {
		return nil, err
	}
	after, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	s := &result.Creation{
		Way: way, Rate: rate, Pods: outcome.Requests, Errors: outcome.Errors, Error: outcome.Error, Latency: outcome.Latency, LoadAverage: process.LoadAverage(),
		Calls: after.calls - before.calls, Within5ms: after.within - before.within, Waited: after.waited - before.waited,
		APIServerCPUSeconds: (after.apiServer - before.apiServer).Seconds(), WebhookCPUSeconds: (after.webhook - before.webhook).Seconds(),
	}
	if s.Errors > 0 {
		return nil, fmt.Errorf("%d of %d pods could not be created, the first one: %s", s.Errors, s.Pods, s.Error)
	}
	if c.asked != nil && s.Calls < float64(s.Pods) {
		return nil, fmt.Errorf("the API server has asked the webhook %v times about %d pods", s.Calls, s.Pods)
	}
	return s, nil
}

// seen is what is counted at one moment.
type seen struct {
	calls, within, waited float64
	apiServer, webhook    time.Duration
}

func (c *cluster) look(ctx context.Context) (s seen, err error) {
	text, err := c.client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return s, fmt.Errorf("the API server's metrics: %w", err)
	}
	for _, p := range c.plane.State().Processes {
		if p.Name == "kube-apiserver" {
			if s.apiServer, err = process.CPU(p.PID); err != nil {
				return s, err
			}
		}
	}
	if c.headroom != nil {
		if s.waited, err = c.headroom.waited(ctx); err != nil {
			return s, err
		}
	}
	if c.asked == nil {
		return s, nil
	}
	const histogram = "apiserver_admission_webhook_admission_duration_seconds"
	labels := map[string]string{"name": c.asked.name, "operation": "CREATE"}
	if s.calls, err = sum(text, histogram, 0, labels); err != nil {
		return s, err
	}
	if s.within, err = sum(text, histogram, 0.005, labels); err != nil {
		return s, err
	}
	s.webhook, err = process.CPU(c.asked.pid)
	return s, err
}
