// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/review"
)

// Generators.
const (
	Closed = "closed" // Callers at a time: for processor time and capacity
	Open   = "open"   // Rate a second: for latency
	Vegeta = "vegeta" // the same as Open by github.com/tsenart/vegeta, which nobody here has written
)

// Plan says what to do.
type Plan struct {
	Target    Target   `json:"target"`
	Images    []string `json:"images"`
	Generator string   `json:"generator"`
	// Callers is how many requests are under way in a closed loop.
	Callers int `json:"callers,omitempty"`
	// Rate is how many requests a second are due in an open loop.
	Rate float64 `json:"rate,omitempty"`
	// Warmup is not measured: a closed loop. Duration is.
	Warmup   time.Duration `json:"warmupNanoseconds"`
	Duration time.Duration `json:"durationNanoseconds"`
}

// Measurement is what came of a plan.
type Measurement struct {
	Outcome

	Seconds float64 `json:"seconds"`
	// ServerCPUSeconds and ClientCPUSeconds are processor time of the webhook's process and of the generator's.
	ServerCPUSeconds float64 `json:"serverCPUSeconds"`
	ClientCPUSeconds float64 `json:"clientCPUSeconds"`
	// Connections is how many were made while it was measured: a handshake costs more than many requests.
	Connections int64          `json:"connections"`
	Memory      process.Memory `json:"memory"` // of the server, at the end
}

// Run does it.
func Run(ctx context.Context, p Plan) (*Measurement, error) {
	bodies, err := review.New(p.Images)
	if err != nil {
		return nil, err
	}
	c, err := newClient(p.Target, bodies)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	warm := c.closed(ctx, max(p.Callers, 1), p.Warmup)
	if warm.firstErr != nil {
		return nil, fmt.Errorf("warming up: %w", warm.firstErr)
	}
	c.connections.Store(0)
	meter, err := start(p.Target.PID)
	if err != nil {
		return nil, err
	}
	t, err := c.run(ctx, p)
	if err != nil {
		return nil, err
	}
	m, err := meter.stop()
	if err != nil {
		return nil, err
	}
	m.Outcome, m.Connections = t.outcome(), c.connections.Load()
	return m, nil
}

func (c *client) run(ctx context.Context, p Plan) (*tally, error) {
	switch p.Generator {
	case Closed:
		return c.closed(ctx, max(p.Callers, 1), p.Duration), nil
	case Open:
		return open(ctx, p.Rate, p.Duration, c.ask)
	case Vegeta:
		return vegetaAttack(ctx, p, c.bodies)
	default:
		return nil, fmt.Errorf("unknown generator %q: want %s, %s or %s", p.Generator, Closed, Open, Vegeta)
	}
}

// meter reads processor time at two moments.
type meter struct {
	server                int
	began                 time.Time
	serverTime, clientNow time.Duration
}

func start(server int) (m meter, err error) {
	m = meter{server: server, began: time.Now()}
	if m.serverTime, err = process.CPU(server); err != nil {
		return m, err
	}
	m.clientNow, err = process.CPU(os.Getpid())
	return m, err
}

func (m meter) stop() (*Measurement, error) {
	server, err := process.CPU(m.server)
	if err != nil {
		return nil, err
	}
	client, err := process.CPU(os.Getpid())
	if err != nil {
		return nil, err
	}
	memory, err := process.MemoryOf(m.server)
	if err != nil {
		return nil, err
	}
	return &Measurement{
		Seconds: time.Since(m.began).Seconds(), Memory: memory,
		ServerCPUSeconds: (server - m.serverTime).Seconds(), ClientCPUSeconds: (client - m.clientNow).Seconds(),
	}, nil
}
