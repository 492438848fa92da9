// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import "time"

// Read returns a snapshot that answers as the one did that was written. What it is read from must not be changed afterwards.
func Read(w *Written) *Snapshot {
	l := New()
	for i := range w.Nodes {
		if node := w.Nodes[i].Node; node != nil {
			l.SetNode(*node)
		}
	}
	for _, pod := range w.Unbound {
		if pod != nil && pod.NodeName == "" {
			l.SetPod(*pod, time.Time{})
		}
	}
	for i := range w.Manifests {
		l.SetManifest(w.Manifests[i].Ref, w.Manifests[i].Platform, w.Manifests[i].Manifest)
	}
	for _, p := range w.Pulled {
		l.SetPulled(p.Ref, p.Runtime, p.Platform, p.Bytes)
	}
	for _, o := range w.Learned {
		l.SetLearned(o.Pool, o.Learned)
	}
	for _, o := range w.Observed {
		l.SetObserved(o.Pool, o.Ref, o.Taken)
	}
	l.SetAutoscaler(w.Autoscaler)
	if !w.Synced {
		return l.Snapshot()
	}
	l.MarkSynced()
	for i := range w.Nodes {
		if w.Nodes[i].Node != nil {
			l.readRow(&w.Nodes[i])
		}
	}
	s := &Snapshot{contents: l.next}
	s.generation = w.Generation
	return s
}

// readRow puts what was written of a node in the place of its row.
func (l *Ledger) readRow(w *WrittenNode) {
	n := l.nodes[w.Node.Name]
	if n == nil {
		return // A node without a name is none.
	}
	n.measurement, n.lines, n.lostBytes = w.Measurement, &w.Lines, w.LostBytes
	n.facts = &facts{seed: n.seed}
	var names []usedName
	for _, pod := range w.Pods {
		if pod != nil {
			names = n.facts.add(names, pod)
		}
	}
	for _, pod := range w.Gone {
		if pod != nil {
			names = n.facts.addGone(names, pod)
		}
	}
	n.facts.index(n, names)
	n.facts.setClaims(claimsOfWritten(w.Claims))
	l.changeRow(n)
}

func claimsOfWritten(written []WrittenClaim) []claim {
	var claims []claim
	for i := range written {
		w := &written[i]
		c := claim{
			ref: w.Ref, state: claimState(w.State), baselineBytes: w.BaselineBytes, endBytes: w.EndBytes,
			settled: w.Settled, spent: w.Spent, starters: w.Starters,
		}
		for _, o := range w.Wanters {
			c.wanters = append(c.wanters, wanter{
				pod: o.Pod, namespace: o.Namespace, watched: o.Watched, deleting: o.Deleting,
				baselineBytes: o.BaselineBytes, failingSince: o.FailingSince, goneAt: o.GoneAt,
			})
		}
		claims = append(claims, c)
	}
	return claims
}
