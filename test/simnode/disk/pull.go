// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// pull is one request in the kubelet's serial puller: waiting, or under way.
type pull struct {
	pod       *pod
	unit      *unit
	requested time.Time
	// The rest is set when its turn comes.
	began  time.Time
	image  Image
	writes []write
	holds  []string
	// lease is what the pull keeps on the disk: containerd's lease.
	lease []string
	// stepBegan is when the first of writes began.
	stepBegan time.Time
}

// rate is bytes per second for the current write; negative takes no time.
func (n *Node) rate(w write) int64 {
	if w.download {
		return n.cfg.PullBytesPerSecond
	}
	return n.cfg.UnpackBytesPerSecond
}

// spend is how long bytes take.
func spend(bytes, rate int64) time.Duration {
	if rate < 0 || bytes <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(float64(bytes) / float64(rate) * float64(time.Second)))
}

// partialBytes is what the current write has put on the disk by now.
func (n *Node) partialBytes() int64 {
	p := n.active
	if p == nil || len(p.writes) == 0 {
		return 0
	}
	w, rate := p.writes[0], n.rate(p.writes[0])
	if rate < 0 {
		return 0
	}
	return min(w.bytes, int64(float64(rate)*n.now.Sub(p.stepBegan).Seconds()))
}

// nextPull is when the puller has something to do. ok is false when it is idle.
func (n *Node) nextPull() (at time.Time, ok bool) {
	switch {
	case n.active == nil:
		return n.now, len(n.queue) > 0
	case len(n.active.writes) == 0:
		return n.now, true
	}
	w := n.active.writes[0]
	room := n.partialBytes() + n.freeBytes()
	at = n.active.stepBegan.Add(spend(min(w.bytes, max(0, room)), n.rate(w)))
	if at.Before(n.now) {
		at = n.now
	}
	return at, true
}

// stepPull does what nextPull announced: begin a pull, end a write, fail, or end
// the pull.
func (n *Node) stepPull() {
	p := n.active
	switch {
	case p == nil:
		n.active, n.queue = n.queue[0], n.queue[1:]
		n.beginPull(n.active)
	case len(p.writes) == 0:
		n.endPull(p)
	default:
		w := p.writes[0]
		room := n.partialBytes() + n.freeBytes()
		if w.bytes > room {
			n.failPull(p, fmt.Sprintf("failed to pull and unpack image %q: write %s: no space left on device", p.unit.canonical, w.key))
			return
		}
		p.writes, p.stepBegan = p.writes[1:], n.now
		n.store.put(w.key, w.bytes)
		n.keep(p, []string{w.key})
	}
}

func (n *Node) beginPull(p *pull) {
	p.began, p.stepBegan = n.now, n.now
	img, ok := n.catalog.Resolve(p.unit.canonical)
	if !ok {
		n.failPull(p, fmt.Sprintf("failed to pull and unpack image %q: failed to resolve reference %q: not found", p.unit.canonical, p.unit.canonical))
		return
	}
	p.image = img
	if n.store.images[img.Digest] != nil {
		return // only the manifest was asked for
	}
	p.writes, p.holds = n.store.plan(img)
	n.keep(p, p.holds)
}

// keep adds what exists of the keys to the pull's lease.
func (n *Node) keep(p *pull, keys []string) {
	for _, key := range keys {
		if n.store.objects[key] != nil && !slices.Contains(p.lease, key) {
			n.store.hold([]string{key})
			p.lease = append(p.lease, key)
		}
	}
}

func (n *Node) endPull(p *pull) {
	rec := n.store.add(p.unit.canonical, p.image, p.holds)
	n.dropPull(p)
	delete(n.backoffs, backoffKey(p))
	n.emit(Event{
		Kind: ImagePulled, Pod: p.pod.ID, Container: p.unit.Name, Image: p.unit.Image, Bytes: rec.reportedBytes,
		Message: fmt.Sprintf("Successfully pulled image %q in %v (%v including waiting). Image size: %v bytes.", p.unit.Image,
			n.now.Sub(p.began).Truncate(time.Millisecond), n.now.Sub(p.requested).Truncate(time.Millisecond), rec.reportedBytes),
	})
	n.start(p.pod, p.unit, rec)
	n.sync(p.pod)
}

func (n *Node) failPull(p *pull, why string) {
	n.dropPull(p)
	key := backoffKey(p)
	b := n.backoffs[key]
	if b == nil || n.now.Sub(b.last) > 2*n.cfg.PullBackoffMax {
		b = &backoff{pause: n.cfg.PullBackoff}
		n.backoffs[key] = b
	} else {
		b.pause = min(2*b.pause, n.cfg.PullBackoffMax)
	}
	b.last, b.message = n.now, "ErrImagePull: "+why
	p.unit.setWaiting("ErrImagePull", why)
	n.emit(Event{
		Kind: ImagePullFailed, Pod: p.pod.ID, Container: p.unit.Name, Image: p.unit.Image,
		Message: fmt.Sprintf("Failed to pull image %q: %s", p.unit.Image, why),
	})
	n.skip(p.pod, p.unit)
	n.sync(p.pod)
}

// dropPull ends the lease: what no image holds goes back to the disk at once.
func (n *Node) dropPull(p *pull) {
	if n.active == p {
		n.active = nil
	}
	n.queue = slices.DeleteFunc(n.queue, func(q *pull) bool { return q == p })
	n.store.release(p.lease)
	p.lease = nil
}

// cancelPulls ends what was being pulled for a pod that is going away.
func (n *Node) cancelPulls(p *pod) {
	for _, q := range slices.Clone(n.queue) {
		if q.pod == p {
			n.dropPull(q)
		}
	}
	if n.active != nil && n.active.pod == p {
		n.dropPull(n.active)
	}
}

// backoff is the pause after failed pulls of one image for one pod.
type backoff struct {
	pause   time.Duration
	last    time.Time
	message string
}

func backoffKey(p *pull) string { return p.pod.ID + "_" + p.unit.canonical }
