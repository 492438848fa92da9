// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"iter"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// parkedPod is a pod that is bound and has all its images, which its node's sample has seen: nearly all pods are such, and
// nothing more will come of them until their row changes. Of what a podState holds, all that can matter again is in the parking.
// It has no pointers, so that the garbage collector need not look at half a million of them.
type parkedPod struct {
	uid                shortUID
	createdUnixSeconds uint32
	nameEnd            shortText
}

// shortText is a text of few bytes.
type shortText struct {
	length byte
	bytes  [maxNameEnd]byte
}

func shortTextOf(text string) (short shortText, whole bool) {
	if len(text) > len(short.bytes) {
		return shortText{}, false
	}
	short.length = byte(len(text)) //nolint:gosec // it has room for that many
	copy(short.bytes[:], text)
	return short, true
}

func (s *shortText) String() string { return string(s.bytes[:s.length]) }

// parking holds the parked pods of a node. Snapshots share it: it is replaced, never changed, but for what is appended to it
// before the first one.
type parking struct {
	pods   []parkedPod
	shapes []*shape // of each
	// rests are nil for nearly all pods that were there before the ledger was, and missing where they are for all.
	rests []*parkedRest
}

// parkedRest is what does not fit into a parkedPod.
type parkedRest struct {
	uid     types.UID // where shortUID does not tell it
	nameEnd string    // where shortText does not hold it
	latches []parkedLatch
}

// parkedLatch is the latch of an image that a sample has seen.
type parkedLatch struct {
	baselineBytes, endBytes int64
	presence                Presence
	watched                 bool
}

func (k *parkedLatch) latch() latch {
	return latch{presence: k.presence, watched: k.watched, baselineBytes: k.baselineBytes, endBytes: k.endBytes, sampled: true}
}

func (p *parking) len() int { return len(p.pods) }

func (p *parking) placeOf(uid shortUID) int {
	return slices.IndexFunc(p.pods, func(o parkedPod) bool { return o.uid == uid })
}

func (p *parking) rest(i int) *parkedRest {
	if p.rests == nil {
		return nil
	}
	return p.rests[i]
}

// add appends a pod in place, where that is allowed.
func (p *parking) add(pod parkedPod, s *shape, rest *parkedRest) {
	if rest != nil && p.rests == nil {
		p.rests = make([]*parkedRest, len(p.pods), cap(p.pods)+1)
	}
	p.pods, p.shapes = append(p.pods, pod), append(p.shapes, s)
	if p.rests != nil {
		p.rests = append(p.rests, rest)
	}
}

// clone has room for some more.
func (p *parking) clone(more int) parking {
	c := parking{pods: make([]parkedPod, 0, len(p.pods)+more), shapes: make([]*shape, 0, len(p.shapes)+more)}
	c.pods, c.shapes = append(c.pods, p.pods...), append(c.shapes, p.shapes...)
	if p.rests != nil {
		c.rests = append(make([]*parkedRest, 0, len(p.rests)+more), p.rests...)
	}
	return c
}

func (p *parking) without(i int) parking {
	c := p.clone(0)
	c.pods, c.shapes = slices.Delete(c.pods, i, i+1), slices.Delete(c.shapes, i, i+1)
	if c.rests != nil {
		c.rests = slices.Delete(c.rests, i, i+1)
	}
	return c
}

func (p *parking) withShape(i int, s *shape) parking {
	c := *p
	c.shapes = slices.Clone(p.shapes)
	c.shapes[i] = s
	return c
}

// withRests has each rest replaced by what change makes of it.
func (p *parking) withRests(change func(*parkedRest) *parkedRest) parking {
	if p.rests == nil {
		return *p
	}
	c := *p
	c.rests = make([]*parkedRest, len(p.rests))
	for i, rest := range p.rests {
		if rest != nil {
			c.rests[i] = change(rest)
		}
	}
	return c
}

func (p *parking) nameEnd(i int) string {
	if rest := p.rest(i); rest != nil && rest.nameEnd != "" {
		return rest.nameEnd
	}
	return p.pods[i].nameEnd.String()
}

func (p *parking) uid(i int) types.UID {
	if rest := p.rest(i); rest != nil && rest.uid != "" {
		return rest.uid
	}
	return p.pods[i].uid.long()
}

// row is a pod's row, but for when its containers started.
func (p *parking) row(i int, node string) *Pod {
	pod := p.shapes[i].pod
	pod.UID, pod.NodeName, pod.Name, pod.CreatedUnixSeconds = p.uid(i), node, pod.Name+p.nameEnd(i), int64(p.pods[i].createdUnixSeconds)
	return &pod
}

// latches returns those of a pod, one for each of its images.
func (p *parking) latches(i int) []latch {
	latches := make([]latch, len(p.shapes[i].pod.Images))
	rest := p.rest(i)
	for k := range latches {
		latches[k] = latch{presence: PresenceUnsure, sampled: true}
		if rest != nil && rest.latches != nil {
			latches[k] = rest.latches[k].latch()
		}
	}
	return latches
}

// spent returns the images that have cost something since their pods were bound.
func (p *parking) spent() iter.Seq2[*PodImage, latch] {
	return func(yield func(*PodImage, latch) bool) {
		for i, rest := range p.rests {
			if rest == nil {
				continue
			}
			for k := range rest.latches {
				l := rest.latches[k].latch()
				if l.presence != Present && l.endBytes > l.baselineBytes && !yield(&p.shapes[i].pod.Images[k], l) {
					return
				}
			}
		}
	}
}

// isSame reports whether a row says nothing new of a pod, which is on the node.
func (p *parking) isSame(i int, pod *Pod, node string) bool {
	begin, end := splitName(pod.Name)
	common := *pod
	common.Name = begin
	of := &p.shapes[i].pod
	return pod.NodeName == node && pod.CreatedUnixSeconds == int64(p.pods[i].createdUnixSeconds) && end == p.nameEnd(i) &&
		samePodRow(of, &common) && sameButStarts(of.Images, pod.Images)
}
