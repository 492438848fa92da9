// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"slices"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// queue is the pods that wait, while it is found out what their images take.
type queue struct {
	survey *survey
	pods   []queued
	// images are all that they want, each once, and not those that the pod judged pulls. first is the index of the first one
	// that is known to be the same, negative for one of the pod's.
	images []imageref.Ref
	first  []int
	// wanted is, by the first index, how many kinds of pods want the image.
	wanted []int
	// awaited marks the pod's own images, by index, that others bring.
	awaited []bool
	shares  map[*class]*shares
	// added memoizes, for one node, what each image adds there, and lacks what of that nobody else may bring: negative before.
	added, lacks []int64
	// rooms are those of the nodes that are too full for the pod that is judged.
	rooms []int64
}

// queued is one kind of pod that waits.
type queued struct {
	*ledger.Waiting

	// images are the indices of its Images, and others of its Others.
	images, others []int
	// least is what each of its images takes of a node where it fits, at the least. unsure is set where it may fit on none.
	least  []int64
	unsure bool
	// borne is set where all that some node lacks of it may come with others: it costs nothing there after that.
	borne bool
	// smallest is the least room on a node where it fits, and which is too full for the pod that is judged.
	smallest int64
}

// queueOf is nil where there is too much to look at.
func (s *survey) queueOf(pods []ledger.Waiting) *queue {
	q := &queue{survey: s, shares: make(map[*class]*shares)}
	index := make(map[imageref.Ref]int)
	for i := range s.images {
		if !neverPulled(&s.images[i]) {
			index[s.images[i].Ref] = -1
		}
	}
	indices := func(refs []imageref.Ref) []int {
		var found []int
		for _, ref := range refs {
			i, known := index[ref]
			if !known {
				i = len(q.images)
				index[ref] = i
				q.images = append(q.images, ref)
			}
			if i >= 0 {
				found = append(found, i)
			}
		}
		return found
	}
	looks := 0
	for i := range pods {
		p := queued{Waiting: &pods[i], images: indices(pods[i].Images), others: indices(pods[i].Others), smallest: unbounded}
		p.least = slices.Repeat([]int64{unbounded}, len(p.images))
		q.pods = append(q.pods, p)
		nodes := p.Nodes()
		if len(s.policy.StartupTaints) > 0 {
			nodes = p.TiedNodes() // Those that are starting count, see comesTo.
		}
		if looks += (len(p.images) + len(p.others) + 1) * nodes; looks > maxWaitingLooks {
			return nil
		}
	}
	q.added, q.lacks = make([]int64, len(q.images)), make([]int64, len(q.images))
	return q
}

// join finds out which images are the same by another name.
func (q *queue) join() {
	own := q.survey.images
	images := slices.Clone(own)
	for _, ref := range q.images {
		images = append(images, imageref.Image{Ref: ref})
	}
	same := sameImages(q.survey.snapshot, images)
	q.first, q.awaited = make([]int, len(q.images)), make([]bool, len(own))
	for i := range q.images {
		if q.first[i] = i; same != nil {
			q.first[i] = same[len(own)+i] - len(own)
		}
	}
	q.wanted = make([]int, len(q.images))
	for i := range q.pods {
		for _, image := range q.pods[i].images {
			if first := q.first[image]; first >= 0 {
				q.wanted[first]++
			}
		}
	}
	for i := range own {
		q.awaited[i] = q.survey.accounts.Awaited(own[i].Ref) ||
			same != nil && slices.ContainsFunc(q.first, func(first int) bool { return first+len(own) == same[i] })
	}
}

// most is at least what least is, and soon found.
func (q *queue) most() int64 {
	sum := int64(0)
	for _, ref := range q.images {
		most := int64(0)
		for _, c := range q.survey.sizes.classes {
			most = max(most, q.survey.sizes.lookUp(c, ref).Disk.Low)
		}
		sum = estimate.SaturatingAdd(sum, most)
	}
	return sum
}

// elsewhere counts a node that takes room from none that is possible for the pod that is judged.
func (q *queue) elsewhere(row *ledger.NodeRow, startup func(string) bool) {
	for i := range q.pods {
		if p := &q.pods[i]; comesTo(p.Waiting, row, startup) {
			clear(p.least)
		}
	}
}

// on counts what the images take of a possible node.
func (q *queue) on(here *seen, startup func(string) bool) {
	if here.past && here.room > 0 {
		q.rooms = append(q.rooms, here.room)
	}
	for i := range q.added {
		q.added[i] = -1
	}
	for i := range q.pods {
		p := &q.pods[i]
		if !comesTo(p.Waiting, here.row, startup) {
			continue
		}
		together, lacks := int64(0), int64(0)
		for _, image := range p.images {
			together = estimate.SaturatingAdd(together, q.adds(here, image))
			lacks = max(lacks, q.lacks[image])
		}
		p.borne = p.borne || lacks <= 0
		if together > max(here.room, 0) {
			continue // It does not go there as long as it fits elsewhere.
		}
		for k, image := range p.images {
			p.least[k] = min(p.least[k], q.added[image])
		}
		if here.past {
			p.smallest = min(p.smallest, max(here.room, 0))
		}
	}
}

// adds is what an image adds to the node at the least, besides what others bring of it.
func (q *queue) adds(here *seen, image int) int64 {
	if q.added[image] >= 0 {
		return q.added[image]
	}
	row, ref, low := here.row, q.images[image], int64(0)
	if a := q.survey.accounts; !pulls(a.Pulling(row), ref) && a.Presence(row, ref) == ledger.Absent {
		low = a.Pull(row, ref).Disk.Low
	}
	sh := q.shares[here.class]
	q.added[image], q.lacks[image] = max(estimate.SaturatingSub(low, sh.with[image]), 0), 0
	if first := q.first[image]; first < 0 || q.wanted[first] == 1 {
		q.lacks[image] = max(estimate.SaturatingSub(low, sh.besides[image]), 0)
	}
	return q.added[image]
}

// compare looks at a node that could hold the pod that is judged.
func (q *queue) compare(here *seen) {
	for i := range q.pods {
		if p := &q.pods[i]; !p.unsure {
			p.unsure = !p.Ready(here.row) || !q.shares[here.class].noLarger(p, here.need)
		}
	}
}

// leaves is what the pods leave at most on any node that could hold the pod that is judged; all of these together have room.
// They have that of other nodes, too, as far as they fit there: those that fit on none that has less room than so much leave
// less of the nodes that have it.
func (q *queue) leaves(room int64) int64 {
	left := estimate.SaturatingSub(room, q.sum(unbounded))
	for i := range q.pods {
		least := q.pods[i].smallest
		if least == unbounded || q.pods[i].unsure {
			continue
		}
		with := room
		for _, r := range q.rooms {
			if r >= least {
				with = estimate.SaturatingAdd(with, r)
			}
		}
		left = min(left, estimate.SaturatingSub(with, q.sum(least)))
	}
	return left
}

// sum is what the images take that are sure to come to a node where they fit, and to none with less room than so much that is
// too full for the pod that is judged. A pod that is not sure to fit may bring others' images to a node that is full, where a
// pod then costs nothing that lacks no more than these.
func (q *queue) sum(smallest int64) int64 {
	least := make([]int64, len(q.images))
	strays := slices.ContainsFunc(q.pods, func(p queued) bool { return p.unsure })
	for i := range q.pods {
		p := &q.pods[i]
		if p.unsure || p.smallest < smallest || p.borne && strays {
			continue
		}
		for k, image := range p.images {
			if first := q.first[image]; first >= 0 && p.least[k] != unbounded {
				least[first] = max(least[first], p.least[k])
			}
		}
	}
	sum := int64(0)
	for i := range least {
		sum = estimate.SaturatingAdd(sum, least[i])
	}
	return sum
}
