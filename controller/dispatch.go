// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"time"
)

const (
	// slowShare is the part of the workers that may wait for nodes which likely don't answer.
	slowShare = 4
	// maxSleep is how long the dispatcher sleeps at most, so that it heeds a change of the policy.
	maxSleep = 5 * time.Second
)

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
		p.heedPolicy()
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

// takeDue takes the first node that is due out of its schedule, or returns how long nothing will be due.
func (p *Poller) takeDue(now time.Time) (*polledNode, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.schedule.next()
	if slow := p.slow.next(); slow != nil && p.slowInFlight < p.slowWorkers() && (first == nil || slow.due.Before(first.due)) {
		first = slow
	}
	if first == nil {
		return nil, maxSleep
	}
	if wait := first.due.Sub(now); wait > 0 {
		return nil, min(wait, maxSleep)
	}
	node := first.node
	node.inFlight, node.slowInFlight = true, first.in == &p.slow
	if node.slowInFlight {
		p.slowInFlight++
	}
	first.remove()
	return node, 0
}

// landed is called when a poll has ended. The caller holds mu.
func (p *Poller) landed(node *polledNode) {
	if node.slowInFlight {
		p.slowInFlight--
		p.poked() // there may be another that has waited for it
	}
	node.inFlight, node.slowInFlight = false, false
}

// slowWorkers is how many of the workers may wait at once for nodes that likely don't answer.
func (p *Poller) slowWorkers() int { return max(p.options.Concurrency/slowShare, 1) }

// enqueue puts a node in the schedule that it belongs to, or moves it. The caller holds mu.
func (p *Poller) enqueue(node *polledNode, due time.Time) {
	q := &p.schedule
	if node.failures > 0 || !node.ready {
		q = &p.slow
	}
	q.at(&node.scheduled, due)
	p.poked()
}

// poked wakes the scheduler.
func (p *Poller) poked() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
