// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// RequestOptions say which webhooks to ask, and for how long.
type RequestOptions struct {
	Part

	// Peers are asked, and Headroom with each of the fleets.
	Peers  []string
	Fleets []fleet.Spec
	// Duration is of one turn; a third of it goes ahead as a warm-up.
	Duration time.Duration
	// Rate is of the open loops, requests a second; 0 for none.
	Rate float64
}

// callers of the closed loop: enough to keep a server busy, and less than an API server's idle connections.
const callers = 8

// contestant is a webhook that runs.
type contestant struct {
	name   string
	fleet  *fleet.Spec
	child  *process.Child
	target load.Target
}

// Requests asks webhooks directly.
func Requests(ctx context.Context, o RequestOptions) (_ *result.Requests, err error) {
	r := &result.Requests{Run: o.begin()}
	contestants, stop, err := o.start(ctx)
	defer stop()
	if err != nil {
		return nil, err
	}
	err = o.turns(len(contestants), func(round, i int) error {
		c := &contestants[i]
		closed, err := o.ask(ctx, c, load.Closed, 0)
		if err != nil {
			return err
		}
		r.Samples = append(r.Samples, c.sample(round, load.Closed, 0, closed))
		perSecond := float64(closed.Requests) / closed.Seconds
		o.say("round %d: %-40s %7.1f µs a request, %6.0f/s, load %.1f", round+1, c, closed.ServerCPUSeconds/float64(closed.Requests)*1e6, perSecond, process.LoadAverage())
		if o.Rate == 0 || perSecond < 2*o.Rate {
			return nil // A queue that grows without end says nothing about an answer.
		}
		for _, generator := range []string{load.Open, load.Vegeta} {
			m, err := o.ask(ctx, c, generator, o.Rate)
			if err != nil {
				return err
			}
			r.Samples = append(r.Samples, c.sample(round, generator, o.Rate, m))
		}
		return nil
	})
	r.LoadAfter = process.LoadAverage()
	return r, err
}

func (c *contestant) String() string {
	if c.fleet == nil || c.name != peer.Headroom {
		return c.name
	}
	return fmt.Sprintf("%s, %d nodes %s", c.name, c.fleet.Nodes, c.fleet.Kind)
}

func (c *contestant) sample(round int, generator string, rate float64, m *load.Measurement) result.Sample {
	return result.Sample{Round: round, Peer: c.name, Fleet: c.fleet, Generator: generator, Rate: rate, LoadAverage: process.LoadAverage(), Measurement: *m}
}

// start starts all, and returns when all serve.
func (o *RequestOptions) start(ctx context.Context) (all []contestant, stop func(), err error) {
	stop = func() {
		for _, c := range all {
			c.child.Stop()
		}
	}
	for _, name := range o.Peers {
		c := contestant{name: name}
		if name == PodSecurity {
			c.child, c.target, err = o.startPodSecurity(ctx)
		} else {
			c.child, c.target, err = startPeer(ctx, name, fleet.Of(100, fleet.Roomy))
		}
		if err != nil {
			return all, stop, fmt.Errorf("start %s: %w", name, err)
		}
		all = append(all, c)
	}
	return o.startFleets(ctx, all)
}

// startFleets adds Headroom with each fleet. All of them are made at the same time.
func (o *RequestOptions) startFleets(ctx context.Context, all []contestant) ([]contestant, func(), error) {
	first := len(all)
	for i := range o.Fleets {
		all = append(all, contestant{name: peer.Headroom, fleet: &o.Fleets[i]})
	}
	stop := func() {
		for _, c := range all {
			if c.child != nil {
				c.child.Stop()
			}
		}
	}
	o.say("making %d fleets", len(o.Fleets))
	failed := make([]error, len(all))
	var wait sync.WaitGroup
	for i := first; i < len(all); i++ {
		wait.Go(func() {
			c := &all[i]
			if c.child, c.target, failed[i] = startPeer(ctx, c.name, *c.fleet); failed[i] != nil {
				failed[i] = fmt.Errorf("start %s: %w", c, failed[i])
			}
		})
	}
	wait.Wait()
	return all, stop, errors.Join(failed...)
}

// startPeer starts this program as a peer, on the processors for servers.
func startPeer(ctx context.Context, name string, f fleet.Spec) (*process.Child, load.Target, error) {
	return startPeerOn(ctx, serverCores(), name, f)
}

func startPeerOn(ctx context.Context, cores []int, name string, f fleet.Spec) (*process.Child, load.Target, error) {
	self, err := process.Self()
	if err != nil {
		return nil, load.Target{}, err
	}
	child, err := process.Start(ctx, process.Command{Path: self, Cores: cores, Args: append([]string{"peer", name}, fleetFlags(f)...)})
	if err != nil {
		return nil, load.Target{}, err
	}
	var target load.Target
	if err := child.ReadJSON(&target); err != nil {
		return nil, target, err
	}
	target.PID = child.PID()
	return child, target, nil
}

func fleetFlags(f fleet.Spec) []string {
	return []string{
		fmt.Sprint("--nodes=", f.Nodes), "--fleet=" + f.Kind, fmt.Sprint("--images-per-node=", f.ImagesPerNode),
		fmt.Sprint("--pods-per-node=", f.PodsPerNode), fmt.Sprint("--waiting-pods=", f.WaitingPods),
	}
}

// ask has the load generator's process carry out one plan.
func (o *RequestOptions) ask(ctx context.Context, c *contestant, generator string, rate float64) (*load.Measurement, error) {
	m, err := runLoad(ctx, load.Plan{
		Target: c.target, Images: fleet.Wanted(), Generator: generator, Callers: callers, Rate: rate, Warmup: o.Duration / 3, Duration: o.Duration,
	})
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c, err)
	}
	if m.Errors > 0 {
		return nil, fmt.Errorf("ask %s: %d of %d requests failed, the first one with: %s", c, m.Errors, m.Requests, m.Error)
	}
	return m, nil
}

func runLoad(ctx context.Context, plan load.Plan) (*load.Measurement, error) {
	self, err := process.Self()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	child, err := process.Start(ctx, process.Command{Path: self, Args: []string{"load", string(text)}, Cores: loadCores()})
	if err != nil {
		return nil, err
	}
	var m load.Measurement
	if err := child.ReadJSON(&m); err != nil {
		return nil, err
	}
	if err := child.Wait(); err != nil {
		return nil, err
	}
	if m.Requests == 0 {
		return nil, errors.New("not one request was answered")
	}
	return &m, nil
}
