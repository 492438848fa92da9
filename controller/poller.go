// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
)

const (
	// maxBackoff bounds the delay after repeated failures of one kubelet.
	maxBackoff = 5 * time.Minute
	// configAge is how long a kubelet's configuration is taken to be what it was; it changes only at a restart.
	configAge = 24 * time.Hour
	// configRetry is the delay after a kubelet refused its configuration.
	configRetry = 10 * time.Minute
	// jitter is how far a delay may deviate from its nominal value, either way.
	jitter = 0.1
)

// Kubelets asks kubelets. *kubelet.Client is one; its calls are bounded in time.
type Kubelets interface {
	Stats(ctx context.Context, t kubelet.Target) (kubelet.Stats, error)
	Config(ctx context.Context, t kubelet.Target) (kubelet.Config, error)
}

// SampleWriter is the part of the ledger that kubelets' answers change.
type SampleWriter interface {
	SetMeasurement(node string, m ledger.Measurement)
	SetLines(node string, uid types.UID, lines ledger.Lines)
	// ForgetMeasurement drops the sample of a node that is not asked any more.
	ForgetMeasurement(node string)
}

// SampleListener is told about every sample after the ledger is. Calls for one node never overlap; those for different
// nodes do.
type SampleListener interface {
	Sampled(node string, m ledger.Measurement, lines ledger.Lines)
}

// PollerOptions are the settings of a Poller. Zero durations and counts get their defaults.
type PollerOptions struct {
	// Interval is the time between two samples of a node, PendingInterval the one while images are pulled there.
	Interval, PendingInterval time.Duration
	// Concurrency bounds how many kubelets are asked at a time.
	Concurrency int
	// ViaAPIServer says that the client asks through the API server, which needs no node address.
	ViaAPIServer bool
	// Samples are told about each sample.
	Samples []SampleListener
	// Log says which nodes are not asked, and why.
	Log logr.Logger
	// Random returns a number in [0, 1) for jitter; nil means math/rand.
	Random func() float64
}

// Defaults of a Poller.
const (
	DefaultPollInterval        = 30 * time.Second
	DefaultPendingPollInterval = 10 * time.Second
	DefaultPollConcurrency     = 16
)

// Poller asks each node's kubelet for samples of its image file system, and once for its lines, and writes the answers to
// the ledger. It is a NodeListener, from which it knows the nodes, and a PodListener, from which it knows where images
// are being pulled.
//
// One goroutine keeps the schedule and a fixed number of workers ask, whatever the number of nodes.
type Poller struct {
	kubelets Kubelets
	ledger   SampleWriter
	options  PollerOptions
	// work hands a node that is due to a worker. Unbuffered: a node that waits for a worker stays in the schedule.
	work chan *polledNode
	// wake tells the scheduler that the schedule changed. Its buffer of one holds any number of changes.
	wake chan struct{}

	mu       sync.Mutex // guards the rest, and every polledNode
	nodes    map[string]*polledNode
	schedule schedule
	pulls    pulls
	errors   map[kubelet.Reason]uint64
	// newcomers is how many nodes wait for their first poll.
	newcomers int
}

// polledNode is all that is known about polling one node. A node that was deleted and made again is another one.
type polledNode struct {
	scheduled
	target   kubelet.Target
	uid      types.UID
	bootID   string
	notAsked NotAsked
	// gone is set when the node was deleted, for a worker that is just asking it.
	gone     bool
	inFlight bool
	// newcomer is set while the node counts as waiting for its first poll.
	newcomer bool
	// soon asks for a poll at the pending interval once more: pulls began or ended.
	soon bool

	lastPoll, lastSuccess time.Time
	failures              int
	lastError             error

	// Lines are asked again when the node booted, when it failed in between, and once a day.
	lines       ledger.Lines
	linesBootID string
	linesDue    time.Time
	linesFailed bool
}

// NewPoller returns a poller that asks nothing before Start.
func NewPoller(kubelets Kubelets, l SampleWriter, o PollerOptions) *Poller {
	if o.Interval <= 0 {
		o.Interval = DefaultPollInterval
	}
	if o.PendingInterval <= 0 {
		o.PendingInterval = DefaultPendingPollInterval
	}
	o.PendingInterval = min(o.PendingInterval, o.Interval)
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultPollConcurrency
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	return &Poller{
		kubelets: kubelets,
		ledger:   l,
		options:  o,
		work:     make(chan *polledNode),
		wake:     make(chan struct{}, 1),
		nodes:    make(map[string]*polledNode),
		pulls:    newPulls(),
		errors:   make(map[kubelet.Reason]uint64),
	}
}

// Start polls until ctx ends, and returns when every poll under way has ended.
func (p *Poller) Start(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range p.options.Concurrency {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case node := <-p.work:
					p.poll(ctx, node)
				}
			}
		})
	}
	p.dispatch(ctx)
	return nil
}

// dispatch hands each node to a worker when it is due.
func (p *Poller) dispatch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		due, wait := p.takeDue(wallClock())
		if due != nil {
			select {
			case p.work <- due:
			case <-ctx.Done():
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-ctx.Done():
		}
	}
}

// takeDue takes the first node that is due out of the schedule, or returns how long nothing will be due.
func (p *Poller) takeDue(now time.Time) (*polledNode, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.schedule.next()
	if first == nil {
		return nil, time.Hour
	}
	if wait := first.due.Sub(now); wait > 0 {
		return nil, wait
	}
	p.schedule.remove(first)
	first.node.inFlight = true
	return first.node, 0
}

// poked wakes the scheduler.
func (p *Poller) poked() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// jittered returns d, give or take a tenth.
func (p *Poller) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*p.options.Random()))
}
