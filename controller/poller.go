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
	// jitter is how far a delay after a failure may deviate from its nominal value, either way.
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
	// Interval is the time between two samples of a node that is near one of its lines, PendingInterval the one while images
	// are pulled there.
	Interval, PendingInterval time.Duration
	// MaxStaleness tells how old a sample may be and still refuse a pod. Nodes with much room are asked as seldom as that
	// allows. Nil means that all are asked at Interval.
	MaxStaleness func() time.Duration
	// Namespace and Pod are this replica's own, if it is a pod of a Deployment: the replicas of one ask each node in turn.
	Namespace, Pod string
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
	// Phase returns the turn of a node in each interval, in [0, 1); nil means one by its name.
	Phase func(node string) float64
}

// Defaults of a Poller.
const (
	DefaultPollInterval        = 30 * time.Second
	DefaultPendingPollInterval = 10 * time.Second
	DefaultPollConcurrency     = 64
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

	mu    sync.Mutex // guards the rest, and every polledNode
	nodes map[string]*polledNode
	// schedule has the nodes that should answer, slow those that failed last or are not ready: waiting for an answer that
	// does not come, they may take no more than a part of the workers.
	schedule, slow schedule
	slowInFlight   int
	pulls          pulls
	replicas       replicas
	polls          uint64
	// allowed is the staleness that the nodes' turns were last reckoned with.
	allowed time.Duration
	errors  map[kubelet.Reason]uint64
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
	gone bool
	// inFlight is set while the node is being asked, and slowInFlight if it counts as slow meanwhile.
	inFlight, slowInFlight bool
	// newcomer is set while the node counts as waiting for its first poll.
	newcomer bool
	// soon asks for a poll at the pending interval once more: pulls began or ended.
	soon bool
	// phase is where in each interval the node's turn is, in [0, 1).
	phase float64
	// ready and pressed are what the Node object says: that the kubelet answers, and that its disk is below a line.
	ready, pressed bool
	// patience is the last sample's, 0 without one.
	patience int

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
	if o.Phase == nil {
		o.Phase = phaseOf
	}
	return &Poller{
		kubelets: kubelets,
		ledger:   l,
		options:  o,
		work:     make(chan *polledNode),
		wake:     make(chan struct{}, 1),
		nodes:    make(map[string]*polledNode),
		pulls:    newPulls(),
		replicas: newReplicas(o.Namespace, o.Pod),
		errors:   make(map[kubelet.Reason]uint64),
	}
}

// jittered returns d, give or take a tenth.
func (p *Poller) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*p.options.Random()))
}
