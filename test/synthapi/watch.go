// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// Ending is how a watch is made to end.
type Ending uint8

const (
	// Closed is as a watch ends by itself: with nothing more to read.
	Closed Ending = iota + 1
	// Broken is in the middle of an event, with the connection.
	Broken
	// Expired is by an event that says 410 Gone.
	Expired
)

// batch is how many events are written before a watch looks up.
const batch = 256

// watching is one WATCH.
type watching struct {
	*collection

	query  *query
	stream *stream
	faults *faulty
	// cursor is the version up to which everything has been sent.
	cursor uint64
	cut    *cut
}

// watch answers a WATCH.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, c *collection, q *query) {
	ctx := r.Context()
	if q.TimeoutSeconds != nil && *q.TimeoutSeconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*q.TimeoutSeconds)*time.Second)
		defer cancel()
	}
	if err := c.fresh(ctx, q.version); err != nil {
		refuse(w, err)
		return
	}
	s.counts.watches.Add(1)
	s.counts.watching.Add(1)
	defer s.counts.watching.Add(-1)
	protobuf := wantsProtobuf(r)
	w.Header().Set("Content-Type", "application/json;stream=watch")
	if protobuf {
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf+";stream=watch")
	}
	w.WriteHeader(http.StatusOK)
	flush := w.(http.Flusher).Flush
	flush() // clients wait for the header before they wait for events
	faults := s.faultsFor(c)
	x := &watching{
		collection: c, query: q, faults: faults,
		stream: &stream{ctx: ctx, collection: c, protobuf: protobuf, rate: faults.BytesPerSecond, out: counted{w: w, bytes: &s.counts.watchBytes}, flush: flush},
	}
	x.run(ctx, s.options.BookmarkInterval)
	s.counts.events.Add(x.stream.events)
	if x.stream.broken {
		panic(http.ErrAbortHandler) // it is how a handler cuts the connection
	}
}

// run sends what there was at first, as far as that was asked for, and then what changes.
func (x *watching) run(ctx context.Context, bookmarks time.Duration) {
	if !x.begin() {
		return
	}
	ticker := time.NewTicker(bookmarks)
	defer ticker.Stop()
	for x.stream.out.err == nil {
		changed, more, goOn := x.send()
		if !goOn {
			return
		}
		if more && ctx.Err() == nil {
			continue
		}
		x.stream.write()
		select {
		case <-changed:
		case <-ticker.C:
			x.bookmark(false)
		case <-x.cut.made:
			x.end(x.cut.how)
			return
		case <-ctx.Done():
			x.bookmark(false)
			x.stream.write()
			return
		}
	}
}

// begin sends the objects there are where they were asked for, and reports whether the watch goes on.
func (x *watching) begin() bool {
	q := x.query
	initial := q.SendInitialEvents != nil && *q.SendInitialEvents
	legacy := q.SendInitialEvents == nil && q.version == 0
	x.world.mu.Lock()
	x.cursor, x.cut = q.version, x.collection.cut
	var all *snapshot
	if initial || legacy {
		all = x.snapshot()
		x.cursor = all.version
	} else if q.version == 0 {
		x.cursor = x.world.version
	}
	x.world.mu.Unlock()
	if all == nil {
		return true
	}
	breakAt := -1
	if all.items > 0 && x.faults.one(x.faults.BreakListEvery) {
		breakAt = x.faults.random.IntN(all.items)
	}
	next := all.each(0, func(i item) bool {
		if breakAt == 0 {
			x.end(Broken)
			return false
		}
		breakAt--
		if q.matches(i) {
			x.stream.event(watch.Added, &i)
		}
		return x.stream.out.err == nil && !x.ended()
	})
	if next < 0 && initial {
		x.bookmark(true)
	}
	return next < 0
}

// ended reports whether the watch has just been made to end.
func (x *watching) ended() bool {
	select {
	case <-x.cut.made:
		x.end(x.cut.how)
		return true
	default:
		return false
	}
}

// send writes the next events, and reports what tells of further ones, whether there are some, and whether the watch goes on.
func (x *watching) send() (changed <-chan struct{}, more, goOn bool) {
	x.world.mu.Lock()
	events, known := x.log.after(x.cursor, x.faults.window(batch))
	oldest, newest := x.log.before, x.world.version
	changed = x.changed
	x.world.mu.Unlock()
	if !known {
		x.stream.status(tooOld(x.cursor, oldest))
		x.stream.write()
		return nil, false, false
	}
	if len(events) == 0 {
		x.cursor = newest
		return changed, false, true
	}
	x.cursor = events[len(events)-1].version()
	for _, e := range x.faults.arranged(x.collection, events) {
		if how := x.faults.due(); how != 0 {
			x.end(how)
			return nil, false, false
		}
		x.one(&e)
		if x.stream.out.err != nil {
			return nil, false, false
		}
	}
	return changed, true, !x.ended()
}

// one writes an event. An object that does not match any more is deleted as far as this watch is concerned.
func (x *watching) one(e *event) {
	kind := e.change.watchType()
	if !x.query.matches(e.item) {
		if e.change != modified || x.query.forGood {
			return
		}
		kind = watch.Deleted
	}
	x.stream.event(kind, &e.item)
}

func (x *watching) bookmark(initialEnd bool) {
	if x.query.AllowWatchBookmarks || initialEnd {
		x.stream.bookmark(x.cursor, initialEnd)
	}
}

// end makes the watch end in a way.
func (x *watching) end(how Ending) {
	switch how {
	case Expired:
		x.stream.status(apierrors.NewResourceExpired("The resourceVersion for the provided watch is too old."))
		x.stream.write()
	case Broken:
		x.stream.breakOff()
	case Closed:
		x.stream.write()
	}
}
