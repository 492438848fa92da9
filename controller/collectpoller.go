// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

func (c *Collector) collectPoller(out emitter, p *Poller) {
	for reason, n := range p.Errors() {
		out.counter(c.pollErrors, n, string(reason))
	}
	notAsked := map[NotAsked]int{NoAddress: 0, WindowsNode: 0, VirtualNode: 0}
	paces, waiting := make(map[Pace]int), 0
	for _, state := range p.States() {
		if state.NotAsked != "" {
			notAsked[state.NotAsked]++
			continue
		}
		paces[state.Pace]++
		if state.Waiting {
			waiting++
		}
	}
	for reason, n := range notAsked {
		out.gauge(c.notAsked, float64(n), string(reason))
	}
	for _, pace := range Paces() {
		out.gauge(c.pollPace, float64(paces[pace]), string(pace))
	}
	out.gauge(c.pollsWaiting, float64(waiting))
	out.counter(c.polls, p.Polls())
	if n, counted := p.ReadBytes(); counted {
		out.counter(c.readBytes, n)
	}
}
