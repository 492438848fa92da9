// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

const (
	// maxPlatforms bounds what is remembered for one image.
	maxPlatforms = 16
	// retryEvery is how often failures that may have passed are looked for.
	retryEvery = 15 * time.Second
	// interest is how long an image that failed is asked for again without being wanted again.
	interest = 6 * time.Hour
)

// Resolver finds the sizes of images in registries. Run does the work.
type Resolver struct {
	o         Options
	sink      Sink
	hosts     *hosts
	transport *http.Transport
	queue     chan *entry
	later     chan *entry // served when queue is empty
	waiters   chan struct{}

	// sinkMu makes the sink see changes in the order they were made. It is taken before mu.
	sinkMu sync.Mutex

	mu        sync.Mutex // guards the rest, entries included; never held while anything blocks
	entries   *lru[imageref.Ref, *entry]
	documents *lru[string, document]
	store     *Store
	measuring chan struct{} // one for each layer that is being decompressed
	counts    map[Outcome]uint64
	changed   chan struct{} // closed at the next answer
}

// entry is one image.
type entry struct {
	ref        imageref.Ref
	answers    map[imagesize.Platform]*verdict
	wanted     map[imagesize.Platform]bool // to be asked for, or being asked for
	busy       bool                        // in a queue or with a worker
	waiting    bool                        // in a queue, or in both
	spare      bool                        // nobody waits for it: see WantLater
	lastWanted time.Time
}

// verdict is an answer and how long it stands.
type verdict struct {
	answer
	until    time.Time // zero for ever
	failures int       // in a row
}

// New returns a resolver that tells its answers to sink.
func New(o Options, sink Sink) (*Resolver, error) {
	if sink == nil {
		return nil, errNoSink
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Resolver{
		o:         o,
		sink:      sink,
		hosts:     newHosts(o.Budgets),
		queue:     make(chan *entry, o.QueueLength),
		later:     make(chan *entry, o.QueueLength),
		waiters:   make(chan struct{}, o.MaxWaiters),
		entries:   newLRU[imageref.Ref, *entry](),
		documents: newLRU[string, document](),
		store:     o.Store,
		measuring: make(chan struct{}, measuredAtOnce),
		counts:    map[Outcome]uint64{},
		changed:   make(chan struct{}),
	}
	r.transport = r.newTransport()
	return r, nil
}

// Run asks registries until ctx ends, and returns nil.
func (r *Resolver) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for i := range r.o.Workers {
		later := r.later
		if i == 0 && r.o.Workers > 1 {
			later = nil // One is always there for what somebody waits for.
		}
		workers.Go(func() { r.work(ctx, later) })
	}
	workers.Go(func() { r.store.run(ctx) })
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			r.retry()
		}
	}
	workers.Wait()
	r.store.save()
	r.transport.CloseIdleConnections()
	return nil
}

// Want asks for an image on some platforms, in the background. It never blocks:
// what is known or under way is not asked for again, and when the queue is full
// the call is dropped and counted.
func (r *Resolver) Want(ref imageref.Ref, platforms ...imagesize.Platform) {
	r.want(ref, platforms, false)
}

// WantLater is Want for an image that nobody waits for, as nodes have it already: it
// is asked for when there is nothing else to do, on the first half of a host's budget.
// What finds no place in the queue is not counted: want it again.
func (r *Resolver) WantLater(ref imageref.Ref, platforms ...imagesize.Platform) {
	r.want(ref, platforms, true)
}

// want returns false if some platform has no answer and will get none.
func (r *Resolver) want(ref imageref.Ref, platforms []imagesize.Platform, spare bool) bool {
	if ref.IsZero() || len(platforms) == 0 {
		return true
	}
	listed := r.listed(ref.Host())
	now := r.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !listed {
		if !spare {
			r.counts[DeniedHost]++
		}
		return true // That is the answer.
	}
	e, known := r.entries.get(ref)
	if !known {
		e = &entry{ref: ref, answers: map[imagesize.Platform]*verdict{}, wanted: map[imagesize.Platform]bool{}, spare: spare}
	}
	e.lastWanted = now
	for _, p := range platforms {
		if !e.due(p, now, spare) || (len(e.wanted) >= maxPlatforms && !e.wanted[p]) {
			continue
		}
		e.wanted[p] = true
	}
	if e.spare && !spare {
		r.promote(e)
	}
	if !r.enqueue(e) {
		return false
	}
	if !known && e.busy {
		r.entries.set(ref, e)
	}
	return true
}

// due says whether to ask for a platform now. What was put off in favour of others is
// due as soon as somebody waits for it.
func (e *entry) due(p imagesize.Platform, now time.Time, spare bool) bool {
	v, known := e.answers[p]
	return !known || (!spare && v.err != nil && v.err.putOff) || (!v.until.IsZero() && !now.Before(v.until))
}

// listed says whether a host may be asked at all.
func (r *Resolver) listed(host string) bool {
	_, endpoint := r.o.Endpoints[host]
	return endpoint || r.o.Allowed(host)
}

func (r *Resolver) document(key, digest string) (document, bool) {
	r.mu.Lock()
	d, found := r.documents.get(key)
	r.mu.Unlock()
	if found {
		return d, true
	}
	body, found := r.store.body(key)
	if !found {
		return document{}, false
	}
	d, err := parseDocument(digest, body)
	if err != nil {
		return document{}, false
	}
	r.keepDocument(key, d)
	return d, true
}

func (r *Resolver) keepDocument(key string, d document) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.documents.set(key, d)
	r.documents.trim(r.o.CacheEntries, func(document) bool { return false })
}
