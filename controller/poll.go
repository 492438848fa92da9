// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
)

// poll asks one node and schedules its next poll.
func (p *Poller) poll(ctx context.Context, node *polledNode) {
	p.mu.Lock()
	target, bootID, askLines := node.target, node.bootID, p.linesWanted(node)
	gone := node.gone || node.notAsked != ""
	node.soon = false
	p.mu.Unlock()

	if gone {
		p.finish(ctx, node, nil)
		return
	}
	p.count()
	stats, err := p.kubelets.Stats(ctx, target)
	received := wallClock()
	if err == nil && askLines {
		config, configErr := p.kubelets.Config(ctx, target)
		p.setLines(ctx, node, bootID, config, configErr)
	}
	if err == nil {
		p.sample(node, measurementOf(node, stats, received))
	}
	if ctx.Err() != nil {
		// A poll that the end of the process cut short says nothing about the node.
		return
	}
	p.finish(ctx, node, err)
}

// linesWanted reports whether the kubelet is to be asked for its configuration. The caller holds mu.
func (p *Poller) linesWanted(node *polledNode) bool {
	if wallClock().Before(node.linesDue) {
		return !node.linesFailed && node.linesBootID != node.bootID
	}
	return true
}

func (p *Poller) setLines(ctx context.Context, node *polledNode, bootID string, config kubelet.Config, err error) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := wallClock()
	if err != nil {
		p.errors[kubelet.ReasonOf(err)]++
		if !node.linesFailed {
			klog.FromContext(ctx).Info("Kubelet does not tell its configuration, its defaults are assumed",
				"node", node.target.Node, "reason", kubelet.ReasonOf(err), "detail", err.Error())
		}
		node.linesFailed, node.linesDue = true, now.Add(p.jittered(configRetry))
		return
	}
	node.lines, node.linesBootID, node.linesFailed = LinesOf(config), bootID, false
	node.linesDue = now.Add(p.jittered(configAge))
	if !node.gone {
		p.ledger.SetLines(node.target.Node, node.uid, node.lines)
	}
}

// sample writes to the ledger and tells the listeners. The ledger ignores a sample of a node that is gone.
func (p *Poller) sample(node *polledNode, m ledger.Measurement) {
	p.mu.Lock()
	name, lines, gone := node.target.Node, node.lines, node.gone || node.notAsked != ""
	node.patience = m.Patience(lines)
	p.mu.Unlock()
	if gone {
		return
	}
	p.ledger.SetMeasurement(name, m)
	for _, listener := range p.options.Samples {
		listener.Sampled(name, m, lines)
	}
}

func (p *Poller) count() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polls++
}

func measurementOf(node *polledNode, s kubelet.Stats, received time.Time) ledger.Measurement {
	return ledger.Measurement{
		NodeUID:          node.uid,
		CapacityBytes:    s.CapacityBytes,
		AvailableBytes:   s.AvailableBytes,
		SampledAt:        s.SampledAt,
		AgeAtReceipt:     s.Age,
		ReceivedAt:       received,
		SharedWithNodeFS: s.SharedWithNodeFS,
		Inodes:           s.Inodes,
		InodesFree:       s.InodesFree,
	}
}

// finish records how a poll ended, logs when a node stops answering and when it answers again, and schedules the next.
func (p *Poller) finish(ctx context.Context, node *polledNode, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.landed(node)
	p.settled(node)
	if node.gone || node.notAsked != "" {
		return
	}
	now := wallClock()
	node.lastPoll = now
	log := klog.FromContext(ctx)
	if err != nil {
		p.errors[kubelet.ReasonOf(err)]++
		node.failures++
		if node.failures == 1 {
			log.Info("Kubelet does not answer", "node", node.target.Node, "reason", kubelet.ReasonOf(err), "detail", err.Error())
		}
		node.lastError = err
		// It may have restarted with another configuration by the time it answers.
		node.linesDue = time.Time{}
		p.enqueue(node, now.Add(p.jittered(p.backoff(node.failures))))
		return
	}
	if node.failures > 0 {
		log.Info("Kubelet answers again", "node", node.target.Node, "failures", node.failures)
	}
	node.failures, node.lastError, node.lastSuccess = 0, nil, now
	p.enqueue(node, p.turn(node, now))
}

// backoff returns the delay after that many failures in a row: one interval, then twice as long each time.
func (p *Poller) backoff(failures int) time.Duration {
	delay := p.options.Interval
	for range failures - 1 {
		if delay >= maxBackoff {
			break
		}
		delay *= 2
	}
	return min(delay, max(maxBackoff, p.options.Interval))
}
