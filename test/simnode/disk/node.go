// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// loop is one of the kubelet's periodic loops.
type loop int

// The loops, in the order in which they run when they are due together.
const (
	housekeepingLoop loop = iota
	imageListLoop
	detectLoop
	gcLoop
	evictionLoop
	loops
)

// Node is one node: its disk, its runtime's store and its kubelet.
type Node struct {
	cfg     Config
	catalog Catalog
	store   *store

	now   time.Time
	began time.Time
	// due is when each loop runs next; zero means never.
	due [loops]time.Time

	pods     []*pod
	queue    []*pull
	active   *pull
	backoffs map[string]*backoff

	sample   Sample
	listed   []ListedImage
	pressure Pressure
	gcFailed bool
	events   []Event
}

// New starts a node at a time. All loops run first at that time, in the first
// Advance. The error says which setting makes no sense.
func New(cfg Config, catalog Catalog, now time.Time) (*Node, error) {
	cfg = Defaults(cfg)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	catalog, err := catalog.Normalized()
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, catalog: catalog, store: newStore(cfg.DiscardUnpackedLayers),
		now: now, began: now, backoffs: map[string]*backoff{},
	}
	for _, name := range cfg.PreloadedImages {
		if err := n.put(name); err != nil {
			return nil, err
		}
	}
	n.scheduleLoops()
	return n, nil
}

// scheduleLoops has all loops that run at all run now.
func (n *Node) scheduleLoops() {
	for l := range loops {
		if n.period(l) > 0 && (l != gcLoop || !n.cfg.gcOff()) {
			n.due[l] = n.now
		}
	}
}

func (n *Node) period(l loop) time.Duration {
	switch l {
	case housekeepingLoop:
		return n.cfg.HousekeepingPeriod
	case imageListLoop:
		return n.cfg.ImageListPeriod
	case detectLoop:
		return n.cfg.DetectPeriod
	case gcLoop:
		return n.cfg.GCPeriod
	default:
		return n.cfg.EvictionPeriod
	}
}

// Advance does everything that is due up to now, in the order of time, and
// returns what happened since the last call. A time in the past does nothing.
func (n *Node) Advance(now time.Time) []Event {
	for {
		at, step := n.next()
		if step == nil || at.After(now) {
			break
		}
		if at.After(n.now) {
			n.now = at
		}
		step()
	}
	if now.After(n.now) {
		n.now = now
	}
	return n.take()
}

// NextWake is when Advance next has something to do; zero means never.
func (n *Node) NextWake() time.Time {
	at, step := n.next()
	if step == nil {
		return time.Time{}
	}
	return at
}

// next finds the earliest thing to do. Among equals: the pull, then pods in the
// order of their arrival, then the loops.
func (n *Node) next() (at time.Time, step func()) {
	if t, ok := n.nextPull(); ok {
		at, step = t, n.stepPull
	}
	for _, p := range n.pods {
		if !p.wake.IsZero() && (step == nil || p.wake.Before(at)) {
			at, step = p.wake, func() { n.sync(p) }
		}
	}
	for l := range loops {
		if due := n.due[l]; !due.IsZero() && (step == nil || due.Before(at)) {
			at, step = due, func() { n.runLoop(l) }
		}
	}
	return at, step
}

func (n *Node) runLoop(l loop) {
	n.due[l] = n.now.Add(n.period(l))
	switch l {
	case housekeepingLoop:
		n.housekeep()
	case imageListLoop:
		n.listed = n.store.list()
	case detectLoop:
		n.detect(n.now)
	case gcLoop:
		n.collectFirstOrLater()
	default:
		if n.syncEviction() {
			n.due[l] = n.now.Add(n.cfg.PodCleanup)
		}
	}
}

// AddPod hands the kubelet a new pod. Under DiskPressure it is rejected unless
// critical (kubelet: managerImpl.Admit). An ID that is known already is ignored.
func (n *Node) AddPod(now time.Time, spec Pod) []Event {
	events := n.Advance(now)
	if n.find(spec.ID) != nil {
		return events
	}
	p := newPod(spec, n.now)
	n.pods = append(n.pods, p)
	if n.pressure.DiskPressure() && !spec.Critical {
		p.phase, p.reason, p.message, p.removed = Failed, "Evicted", "Pod was rejected: "+pressureMessage, true
		n.emit(Event{Kind: PodRejected, Pod: p.ID, Message: pressureMessage})
	} else {
		n.sync(p)
	}
	return append(events, n.Advance(now)...)
}

// RemovePod ends a pod and deletes its containers, as after a deletion in the API.
func (n *Node) RemovePod(now time.Time, id string) []Event {
	events := n.Advance(now)
	p := n.find(id)
	if p == nil {
		return events
	}
	n.cancelPulls(p)
	n.pods = slices.DeleteFunc(n.pods, func(q *pod) bool { return q == p })
	for _, u := range p.units {
		delete(n.backoffs, p.ID+"_"+u.canonical)
	}
	return append(events, n.Advance(now)...)
}

// RestartKubelet loses what a kubelet keeps in memory: ages and last use of
// images, the eviction manager's state, pauses after failed pulls. Containers go
// on running; a pull under way ends and is asked for anew.
func (n *Node) RestartKubelet(now time.Time) []Event {
	events := n.Advance(now)
	for _, rec := range n.store.images {
		rec.detected, rec.firstDetected, rec.lastUsed = false, time.Time{}, time.Time{}
	}
	n.began, n.pressure, n.gcFailed, n.listed = n.now, Pressure{}, false, nil
	clear(n.backoffs)
	for _, p := range n.pods {
		n.cancelPulls(p)
		p.cursor, p.wake = 0, n.now
	}
	n.scheduleLoops()
	return append(events, n.Advance(now)...)
}

// SetOtherUsedBytes says what something else takes on the image file system.
// Values outside 0 and the disk's size are cut to it.
func (n *Node) SetOtherUsedBytes(now time.Time, bytes int64) []Event {
	events := n.Advance(now)
	n.cfg.OtherUsedBytes = min(max(0, bytes), n.cfg.DiskBytes)
	return append(events, n.Advance(now)...)
}

// SetNodeFSUsedBytes says what is taken on the other disk.
func (n *Node) SetNodeFSUsedBytes(now time.Time, bytes int64) []Event {
	events := n.Advance(now)
	n.cfg.NodeFSUsedBytes = min(max(0, bytes), n.cfg.NodeFSBytes)
	return events
}

// SetImage changes what the registry holds under a name, from the next pull on.
func (n *Node) SetImage(name string, img Image) error {
	canonical, err := CanonicalName(name)
	if err != nil {
		return err
	}
	n.catalog.Images[canonical] = img
	return nil
}

// PullImage puts an image on the disk at once, outside any pod, as "crictl pull".
// It fails where the disk is too small.
func (n *Node) PullImage(now time.Time, name string) ([]Event, error) {
	events := n.Advance(now)
	err := n.put(name)
	return append(events, n.Advance(now)...), err
}

func (n *Node) put(name string) error {
	canonical, err := CanonicalName(name)
	if err != nil {
		return err
	}
	img, ok := n.catalog.Resolve(canonical)
	if !ok {
		return fmt.Errorf("image %q: not in the catalog", name)
	}
	writes, holds := n.store.plan(img)
	var need int64
	for _, w := range writes {
		need += w.bytes
	}
	if free := n.freeBytes(); need > free {
		return fmt.Errorf("image %q: needs %d bytes, the disk has %d: no space left on device", name, need, free)
	}
	for _, w := range writes {
		n.store.put(w.key, w.bytes)
	}
	n.store.hold(holds)
	n.store.add(canonical, img, holds)
	n.store.release(holds)
	return nil
}

// RemoveImage deletes an image by name or digest, in use or not, as "crictl rmi".
func (n *Node) RemoveImage(now time.Time, name string) []Event {
	events := n.Advance(now)
	id := name
	if canonical, err := CanonicalName(name); err == nil {
		if rec := n.store.find(canonical); rec != nil {
			id = rec.id
		}
	}
	n.deleteImage(id, "removed")
	return append(events, n.Advance(now)...)
}

func (n *Node) find(id string) *pod {
	for _, p := range n.pods {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (n *Node) deleteImage(id, why string) {
	rec := n.store.images[id]
	if rec == nil {
		return
	}
	name := cmp.Or(first(rec.tags), first(rec.digests), id)
	freed := n.store.remove(id)
	n.emit(Event{Kind: ImageDeleted, Image: name, Message: why, Bytes: freed})
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}
