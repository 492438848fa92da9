// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// Sampled implements SampleListener: a sample is what ends a pull that is watched. A kubelet may tell one sample again for
// some seconds; what is in use is counted once for each sample that the ledger took for a newer one: at the next of them, where
// the snapshot does not have it yet.
func (l *Learner) Sampled(name string, _ ledger.Measurement, _ ledger.Lines) {
	s := l.ledger.Snapshot()
	row, found := s.Node(name)
	var needed estimate.Bytes
	if found && l.options.Needed != nil {
		needed = l.options.Needed(row)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.ledger.Observations() {
		l.observe(s, o)
	}
	// A node that has gone meanwhile must not come back after NodeDeleted.
	if !found || !l.ledger.HasNode(name) {
		return
	}
	l.learnListed(s, row)
	node, tally := l.tallyOf(row)
	if m, measured := row.Measurement(); measured && !m.SampledAt.Equal(node.countedSample) {
		node.countedSample = m.SampledAt
		tally.AddUsed(name, m.CapacityBytes-m.AvailableBytes, needed, m.ReceivedAt)
		l.write(node.pool, tally)
	}
}

// observe takes one pull into account. The caller holds mu.
func (l *Learner) observe(s *ledger.Snapshot, o ledger.Observation) {
	of, _ := l.predictions.get(o.Pod)
	p, predicted := of[o.Ref]
	if !predicted {
		p = Prediction{BlobBytes: -1}
	}
	delete(of, o.Ref)
	l.options.Metrics.observed(o.TakenBytes, p)
	row, found := s.Node(o.Node)
	if !found {
		return
	}
	node, tally := l.tallyOf(row)
	key := observedKey{node.pool, o.Ref}
	if !evidenceOf(s, row, o.Ref).Manifest.Layered() {
		l.setObserved(key, o.TakenBytes)
	}
	pull := imagesize.Pull{
		Node: o.Node, Namespace: o.Namespace, TakenBytes: o.TakenBytes,
		ReportedBytes: p.ReportedBytes, BlobBytes: p.BlobBytes, Unpacked: p.Unpacked,
	}
	switch {
	case p.Layered && p.Unpacked.IsZero():
		// It shares all, or nobody has read its layers: nothing to compare with.
		l.options.Metrics.learned(imagesize.OutcomeUnknown)
		return
	case p.Unpacked.IsZero() && pull.ReportedBytes <= 0:
		pull.ReportedBytes = reportedBytes(s, row, o.Ref)
	}
	if p.Unpacked.IsZero() && pull.ReportedBytes <= 0 && len(l.unlisted) < maxUnlisted {
		l.unlisted = append(l.unlisted, unlistedPull{key: key, pull: pull})
		return
	}
	l.learn(node.pool, tally, pull)
}

// learnListed looks again for the pulls of a node that could not be compared yet. The caller holds mu.
func (l *Learner) learnListed(s *ledger.Snapshot, row *ledger.NodeRow) {
	rest := l.unlisted[:0]
	for _, u := range l.unlisted {
		if u.pull.Node != row.Name {
			rest = append(rest, u)
			continue
		}
		u.pull.ReportedBytes = reportedBytes(s, row, u.key.ref)
		if u.samples++; u.pull.ReportedBytes <= 0 && u.samples < listedWithin {
			rest = append(rest, u)
			continue
		}
		tally, found := l.tallies.get(u.key.pool)
		if !found {
			tally = l.newTally(u.key.pool)
		}
		l.learn(u.key.pool, tally, u.pull)
	}
	clear(l.unlisted[len(rest):])
	l.unlisted = rest
}

func (l *Learner) learn(key imagesize.PoolKey, tally *poolTally, pull imagesize.Pull) {
	l.options.Metrics.learned(tally.Add(pull))
	l.write(key, tally)
}

// setObserved widens what is known of an image whose layers are not. The largest is likely: others shared something with
// what was there. The caller holds mu.
func (l *Learner) setObserved(key observedKey, takenBytes int64) {
	taken := estimate.Exactly(max(takenBytes, 0))
	before, known := l.observed.get(key)
	if known {
		low, high := min(before.Low, taken.Low), max(before.High, taken.High)
		taken = estimate.Between(low, high, high)
	}
	if taken.IsZero() {
		return // which would take back what is not there
	}
	l.observed.set(key, taken)
	if taken != before {
		l.ledger.SetObserved(key.pool, key.ref, taken)
	}
}

func evidenceOf(s *ledger.Snapshot, row *ledger.NodeRow, ref imageref.Ref) imagesize.Evidence {
	return s.Evidence(ref, row.Runtime, imagesize.Platform{OS: row.OS, Architecture: row.Architecture})
}

// reportedBytes is the image's size as the node reports it, or others like it do; 0 for unknown.
func reportedBytes(s *ledger.Snapshot, row *ledger.NodeRow, ref imageref.Ref) int64 {
	if listed, found := row.Listed(ref); found && listed.ReportedBytes > 0 {
		return listed.ReportedBytes
	}
	return evidenceOf(s, row, ref).Reported.Likely
}
