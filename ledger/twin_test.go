// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// twin is the ledger once more, written for the reader and not for speed: it
// keeps nothing but the events, and draws up an account by going through all of
// them from the beginning. It shares no code with the ledger but the types.
type twin struct {
	events []event

	synced    bool
	nodes     map[string]*twinNode
	pods      map[types.UID]*twinPod
	gone      []*twinPod
	dead      map[types.UID]bool
	manifests map[manifestOf]imagesize.Manifest
	scaler    ledger.Autoscaler
}

type manifestOf struct {
	ref imageref.Ref
	p   imagesize.Platform
}

type twinNode struct {
	node     *ledger.Node
	sample   *ledger.Measurement
	lines    *ledger.Lines
	linesUID types.UID
	lost     int64
}

type twinPod struct {
	ledger.Pod
	memory map[imageref.Ref]*memory
	goneAt time.Time
}

// memory is what was seen of a bound pod's image.
type memory struct {
	presence        ledger.Presence
	watched         bool
	baseline, end   int64
	failing, pulled time.Time
	sampled         bool
}

// replay goes through all events.
func (t *twin) replay() {
	*t = twin{
		events: t.events, nodes: map[string]*twinNode{}, pods: map[types.UID]*twinPod{},
		dead: map[types.UID]bool{}, manifests: map[manifestOf]imagesize.Manifest{},
	}
	for _, e := range t.events {
		switch e.kind {
		case markSynced:
			t.synced = true
		case setNode:
			t.setNode(e.node)
		case deleteNode:
			t.deleteNode(e.name, e.uid)
		case setSample:
			t.setSample(e.name, e.sample)
		case forgetSample:
			if n := t.nodes[e.name]; n != nil {
				n.sample = nil
			}
		case setLines:
			t.setLines(e.name, e.uid, e.lines)
		case setPod:
			t.setPod(e.pod, e.now)
		case deletePod:
			t.deletePod(e.uid, e.now)
		case setManifest:
			t.manifests[manifestOf{e.ref, linux}] = e.manifest
		case deleteManifest:
			delete(t.manifests, manifestOf{e.ref, linux})
		case setAutoscaler:
			t.scaler = e.scaler
		}
	}
}

func (t *twin) at(name string) *twinNode {
	if t.nodes[name] == nil {
		t.nodes[name] = &twinNode{}
	}
	return t.nodes[name]
}

func (t *twin) setNode(node ledger.Node) {
	n := t.at(node.Name)
	switch {
	case t.dead[node.UID]:
		return
	case n.node == nil && n.sample != nil && n.sample.NodeUID != node.UID:
		n.sample = nil
		t.forgetLoss(node.Name)
	case n.node != nil && n.node.UID != node.UID:
		t.dead[n.node.UID] = true
		t.startAnew(node.Name)
	}
	if n.node == nil && n.lines != nil && n.linesUID != node.UID {
		n.lines = nil
	}
	n.node = &node
}

func (t *twin) deleteNode(name string, uid types.UID) {
	t.dead[uid] = true
	n := t.at(name)
	switch {
	case n.node == nil && n.sample != nil && n.sample.NodeUID == uid:
		n.sample = nil
		t.forgetLoss(name)
	case n.node != nil && n.node.UID == uid:
		t.startAnew(name)
		n.node = nil
	}
}

// startAnew forgets all of a node but its pods, whose past is unknown then.
func (t *twin) startAnew(name string) {
	n := t.at(name)
	n.sample, n.lines, n.lost = nil, nil, 0
	t.forget(func(p *twinPod) bool { return p.NodeName == name })
	t.forgetLoss(name)
	for _, p := range t.pods {
		if p.NodeName == name {
			for _, image := range p.Images {
				m := p.memory[image.Ref]
				m.presence, m.watched, m.sampled = ledger.PresenceUnsure, false, image.Pulled
			}
		}
	}
}

func (t *twin) forgetLoss(name string) {
	t.at(name).lost = 0
	for _, p := range t.pods {
		if p.NodeName == name {
			for _, m := range p.memory {
				m.baseline, m.end = 0, 0
			}
		}
	}
}

func (t *twin) setSample(name string, m ledger.Measurement) {
	t.forgetOld(name, m.ReceivedAt)
	n := t.at(name)
	if t.dead[m.NodeUID] || n.node != nil && n.node.UID != m.NodeUID {
		return
	}
	if n.sample != nil && n.sample.NodeUID != m.NodeUID {
		n.sample = nil
		t.forgetLoss(name)
	}
	if n.sample != nil {
		older := !m.SampledAt.After(n.sample.SampledAt)
		if older && m.ReceivedAt.Sub(n.sample.ReceivedAt) < 2*time.Minute {
			return
		}
		if m.AvailableBytes < n.sample.AvailableBytes {
			n.lost += n.sample.AvailableBytes - m.AvailableBytes
		}
	}
	n.sample = &m
	t.seeSample(name)
}

// seeSample notes which images on a node its sample has seen.
func (t *twin) seeSample(name string) {
	n := t.at(name)
	for _, p := range t.all() {
		if p.NodeName != name || n.sample == nil {
			continue
		}
		for _, image := range p.Images {
			m, taken := p.memory[image.Ref], n.sample.ReceivedAt.Add(-n.sample.AgeAtReceipt)
			seen := !image.StartedAt.After(n.sample.SampledAt)
			if image.StartedAt.IsZero() {
				seen = !taken.Before(m.pulled)
			}
			seen = seen && image.Pulled || !p.goneAt.IsZero() && !taken.Before(p.goneAt)
			if seen && !m.sampled {
				m.sampled, m.end = true, n.lost
			}
		}
	}
}

func (t *twin) setLines(name string, uid types.UID, lines ledger.Lines) {
	n := t.at(name)
	if !t.dead[uid] && (n.node == nil || n.node.UID == uid) {
		n.lines, n.linesUID = &lines, uid
	}
}

func (t *twin) setPod(pod ledger.Pod, now time.Time) {
	t.forgetOld(pod.NodeName, now)
	old := t.pods[pod.UID]
	if t.dead[pod.UID] || old != nil && old.NodeName != "" && pod.NodeName == "" {
		return
	}
	p := &twinPod{Pod: pod, memory: map[imageref.Ref]*memory{}}
	if pod.NodeName != "" {
		for _, image := range pod.Images {
			var m *memory
			if old != nil && old.NodeName == pod.NodeName {
				m = old.memory[image.Ref]
			}
			if m == nil {
				m = t.firstSight(pod.NodeName, image)
			}
			switch {
			case !image.Failing:
				m.failing = time.Time{}
			case m.failing.IsZero():
				m.failing = now
			}
			if image.Pulled && m.pulled.IsZero() {
				m.pulled = now
			}
			p.memory[image.Ref] = m
		}
	}
	t.pods[pod.UID] = p
	t.seeSample(pod.NodeName)
}

// deletePod takes a pod away, and keeps what its images may have taken of a disk.
func (t *twin) deletePod(uid types.UID, now time.Time) {
	p := t.pods[uid]
	t.dead[uid] = true
	delete(t.pods, uid)
	if p == nil || p.NodeName == "" || !t.synced || t.at(p.NodeName).node == nil {
		return
	}
	t.forgetOld(p.NodeName, now)
	p.goneAt = now
	p.Images = slices.DeleteFunc(slices.Clone(p.Images), func(image ledger.PodImage) bool {
		m := p.memory[image.Ref]
		left := image.Pulled || !p.Finished && pulls(image)
		fresh := image.Pulled && m.presence == ledger.Absent && !m.sampled
		return !left || t.listed(p.NodeName, image.Ref) && !fresh
	})
	t.gone = append(t.gone, p)
	t.seeSample(p.NodeName)
}

func (t *twin) forgetOld(name string, now time.Time) {
	t.forget(func(p *twinPod) bool { return p.NodeName == name && now.Sub(p.goneAt) >= 2*time.Minute })
}

func (t *twin) forget(old func(*twinPod) bool) { t.gone = slices.DeleteFunc(t.gone, old) }

// all are the pods that are there, and those that were until a short while ago.
func (t *twin) all() []*twinPod { return slices.AppendSeq(slices.Clone(t.gone), maps.Values(t.pods)) }

func (t *twin) listed(name string, ref imageref.Ref) bool {
	return slices.ContainsFunc(t.at(name).node.Images, func(image ledger.ListedImage) bool {
		return slices.ContainsFunc(image.Refs, func(listed imageref.Ref) bool { return sameImage(listed, ref) })
	})
}

func sameImage(a, b imageref.Ref) bool {
	return a == b || a.Digest() != "" && a.Digest() == b.Digest()
}

func (t *twin) firstSight(name string, image ledger.PodImage) *memory {
	n := t.at(name)
	m := &memory{presence: ledger.PresenceUnsure, baseline: n.lost, end: n.lost}
	switch {
	case !t.synced:
		m.sampled = image.Pulled
		return m
	case n.node != nil:
		m.presence = t.presence(name, image.Ref)
		if m.presence == ledger.Absent && t.byAnotherName(name, image.Ref) {
			m.presence = ledger.PresenceUnsure
		}
	}
	m.watched, m.end = true, 0
	return m
}

// byAnotherName reports whether a digest that a registry told is listed, or of a pod's image.
func (t *twin) byAnotherName(name string, ref imageref.Ref) bool {
	told := t.told(name, ref)
	if told == nil {
		return false
	}
	is := func(o imageref.Ref) bool {
		return o.Digest() != "" && (o.Digest() == told.Digest || o.Digest() == told.ImageDigest)
	}
	for _, image := range t.at(name).node.Images {
		size := estimate.Exactly(told.CompressedBytes).Times(imagesize.CompressedFactor(t.at(name).node.Runtime))
		loaded := image.Refs[0].Digest() == "" && image.ReportedBytes >= size.Low && image.ReportedBytes <= size.High
		if loaded || slices.ContainsFunc(image.Refs, is) {
			return true
		}
	}
	for _, pod := range t.all() {
		for _, image := range pod.Images {
			if pod.NodeName == name && (image.Pulled || !pod.goneAt.IsZero()) && (is(image.Ref) || is(image.ImageID)) {
				return true
			}
		}
	}
	return false
}

// presence says whether an image is on a node.
func (t *twin) presence(name string, ref imageref.Ref) ledger.Presence {
	n := t.at(name)
	limit, smallest, had, hidden := t.linesOf(name).MaxImagesListed, int64(1<<62), false, false
	for _, image := range n.node.Images {
		smallest = min(smallest, image.ReportedBytes)
		for _, listed := range image.Refs {
			if sameImage(listed, ref) {
				return ledger.Present
			}
			hidden = hidden || image.NameCount >= 5 && listed.Repository() == ref.Repository()
		}
	}
	for _, p := range t.all() {
		for _, image := range p.Images {
			if p.NodeName == name && (image.Pulled || !p.goneAt.IsZero()) && (sameImage(image.Ref, ref) || !image.ImageID.IsZero() && sameImage(image.ImageID, ref)) {
				if !p.Finished && p.goneAt.IsZero() {
					return ledger.Present
				}
				had = true
			}
		}
	}
	cut := limit >= 0 && len(n.node.Images) >= limit
	switch {
	case n.node.Images == nil || had || hidden:
		return ledger.PresenceUnsure
	case !cut || t.reported(name, ref) > smallest:
		return ledger.Absent
	default:
		return ledger.PresenceUnsure
	}
}

func (t *twin) linesOf(name string) ledger.Lines {
	if lines := t.at(name).lines; lines != nil {
		return *lines
	}
	return ledger.DefaultLines()
}

// reported is the least size that a node of the same kind, or the registry, tells.
func (t *twin) reported(name string, ref imageref.Ref) int64 {
	e := t.evidence(name, ref)
	switch {
	case e.Reported.High > 0 && e.Manifest != nil && t.at(name).node.Runtime == imagesize.Containerd:
		return min(e.Reported.Low, e.Manifest.CompressedBytes)
	case e.Reported.High > 0:
		return e.Reported.Low
	case e.Manifest != nil && t.at(name).node.Runtime == imagesize.Containerd:
		return e.Manifest.CompressedBytes
	default:
		return 0
	}
}

func (t *twin) evidence(name string, ref imageref.Ref) imagesize.Evidence {
	var e imagesize.Evidence
	n, counts := t.at(name).node, map[int64]int{}
	for _, other := range t.nodes {
		if other.node == nil || other.node.Runtime != n.Runtime || other.node.Architecture != n.Architecture || n.Runtime == imagesize.OtherRuntime {
			continue
		}
		for _, image := range other.node.Images {
			for _, listed := range image.Refs {
				if listed == ref {
					counts[image.ReportedBytes]++
				}
			}
		}
	}
	for size, nodes := range counts {
		if e.Reported.Low == 0 || size < e.Reported.Low {
			e.Reported.Low = size
		}
		e.Reported.High = max(e.Reported.High, size)
		if most := counts[e.Reported.Likely]; nodes > most || nodes == most && size > e.Reported.Likely {
			e.Reported.Likely = size
		}
	}
	e.Manifest = t.told(name, ref)
	return e
}

func (t *twin) size(name string, ref imageref.Ref) imagesize.Size {
	return t.evidence(name, ref).OnDisk(t.at(name).node.Runtime, twinFactor)
}

func pulls(image ledger.PodImage) bool { return image.PullPolicy != corev1.PullNever }
