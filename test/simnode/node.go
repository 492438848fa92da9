// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/utils/clock"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

const (
	// apiTimeout bounds each request to the API server.
	apiTimeout = 10 * time.Second
	// apiRetry is the pause after a request that failed.
	apiRetry = time.Second
	// jitter spreads the reports of many nodes (kubelet: syncNodeStatus).
	jitter = 0.04
)

// Node is one simulated node.
type Node struct {
	spec     NodeSpec
	index    int
	client   kubernetes.Interface
	recorder record.EventRecorder
	log      logr.Logger
	clock    clock.PassiveClock
	taints   bool // Options.ManageTaints
	started  time.Time

	listener net.Listener
	server   *http.Server

	// mu guards engine, frozen, dead, closed, pending,
	// events and refs.
	mu     sync.Mutex
	engine *disk.Node
	// frozen is the sample that is served in place of newer ones.
	frozen *disk.Sample
	dead   bool
	closed bool
	// pending are deliveries of the informer, events what Do made happen, that the
	// loop has not seen.
	pending []delivery
	events  []disk.Event
	// refs name the pods for the Summary, in the order of their arrival.
	refs []statsv1alpha1.PodReference

	// wake tells the loop of pending deliveries and changes from outside.
	wake chan struct{}

	// What follows belongs to the loop alone.
	object     *corev1.Node
	sent       time.Time // of the last status
	nextStatus time.Time
	nextLease  time.Time
	nextRetry  time.Time
	pods       map[types.UID]*trackedPod
	podIPs     int
}

type delivery struct {
	pod  *corev1.Pod
	gone bool
}

func newNode(spec NodeSpec, opts Options, index int, client kubernetes.Interface) (*Node, error) {
	spec, err := spec.withDefaults(opts.Speed)
	if err != nil {
		return nil, err
	}
	now := opts.Clock.Now()
	engine, err := disk.New(spec.Config, opts.Images, now)
	if err != nil {
		return nil, wrapNode(spec.Name, err)
	}
	log := opts.Logger
	if log.GetSink() == nil {
		log = logr.Discard()
	}
	return &Node{
		spec: spec, index: index, client: client, log: log.WithValues("node", spec.Name), taints: opts.ManageTaints, clock: opts.Clock,
		engine: engine, started: now, wake: make(chan struct{}, 1), pods: map[types.UID]*trackedPod{},
	}, nil
}

// Name is the node's name in the API.
func (n *Node) Name() string { return n.spec.Name }

// URL is where the node's kubelet listens, such as https://127.77.0.1:40123.
func (n *Node) URL() string { return "https://" + n.listener.Addr().String() }

// Do calls f with the node's engine and the present time, while nothing else
// touches it, and then tells the API of the events that f returns. f must not
// keep the engine.
func (n *Node) Do(f func(engine *disk.Node, now time.Time) []disk.Event) {
	n.mu.Lock()
	n.events = append(n.events, f(n.engine, n.clock.Now())...)
	n.mu.Unlock()
	n.nudge()
}

// SetOtherUsedBytes says what something other than images takes on the disk.
func (n *Node) SetOtherUsedBytes(bytes int64) {
	n.Do(func(engine *disk.Node, now time.Time) []disk.Event { return engine.SetOtherUsedBytes(now, bytes) })
}

// FreezeSamples makes /stats/summary answer with the present sample from now on,
// which gets older and older; false ends that.
func (n *Node) FreezeSamples(frozen bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = nil
	if frozen {
		sample := n.engine.Sample()
		n.frozen = &sample
	}
}

// Kill makes the node silent, as one whose power failed: no lease, no status, no
// answer. The Node object stays.
func (n *Node) Kill() {
	n.mu.Lock()
	n.dead = true
	n.mu.Unlock()
	n.close()
}

func (n *Node) deliver(pod *corev1.Pod, gone bool) {
	n.mu.Lock()
	n.pending = append(n.pending, delivery{pod: pod, gone: gone})
	n.mu.Unlock()
	n.nudge()
}

func (n *Node) nudge() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// run is the node's loop: what the disk does, what the API says, and what the
// API has to be told.
func (n *Node) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-timer.C:
		}
		if n.isDead() {
			return
		}
		now := n.clock.Now()
		n.step(ctx, now)
		timer.Reset(max(0, n.nextDue().Sub(n.clock.Now())))
	}
}

func (n *Node) isDead() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dead
}

func (n *Node) step(ctx context.Context, now time.Time) {
	n.mu.Lock()
	pending, events := n.pending, n.events
	n.pending, n.events = nil, nil
	for _, d := range pending {
		events = append(events, n.accept(d, now)...)
	}
	events = append(events, n.engine.Advance(now)...)
	n.mu.Unlock()

	for _, e := range events {
		n.record(e)
	}
	n.nextRetry = time.Time{}
	n.flushPods(ctx)
	if !now.Before(n.nextStatus) {
		n.nextStatus = now.Add(wait.Jitter(n.spec.StatusPeriod, jitter))
		n.reportStatus(ctx, now)
	}
	if !now.Before(n.nextLease) {
		n.nextLease = now.Add(wait.Jitter(n.spec.LeasePeriod, jitter))
		n.renewLease(ctx, now)
	}
}

// nextDue is when step has to run again.
func (n *Node) nextDue() time.Time {
	n.mu.Lock()
	due := n.engine.NextWake()
	n.mu.Unlock()
	for _, t := range []time.Time{n.nextStatus, n.nextLease, n.nextRetry} {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	return due
}

// retry asks for another step soon, because a request failed.
func (n *Node) retry(what string, err error) {
	n.nextRetry = n.clock.Now().Add(apiRetry)
	n.log.V(1).Info("Request to the API server failed", "what", what, "error", err.Error())
}
