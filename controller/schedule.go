// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"container/heap"
	"time"
)

// schedule orders nodes by when they are to be polled next. One heap instead of a timer for each node: with thousands of
// nodes, one timer runs at a time. The zero value is empty. Not safe for concurrent use.
type schedule struct {
	entries dueHeap
}

// scheduled is one node's place in a schedule.
type scheduled struct {
	due time.Time
	// in is the schedule it is in, nil for none, and index the position in its heap.
	in    *schedule
	index int
	node  *polledNode
}

// at puts s in the schedule, out of another one, or moves it.
func (q *schedule) at(s *scheduled, due time.Time) {
	if s.in != nil && s.in != q {
		s.remove()
	}
	s.due = due
	if s.in == q {
		heap.Fix(&q.entries, s.index)
		return
	}
	s.in = q
	heap.Push(&q.entries, s)
}

// remove takes s out of the schedule that it is in, if any.
func (s *scheduled) remove() {
	if s.in != nil {
		heap.Remove(&s.in.entries, s.index)
		s.in = nil
	}
}

// next returns the entry that is due first, nil when there is none.
func (q *schedule) next() *scheduled {
	if len(q.entries) == 0 {
		return nil
	}
	return q.entries[0]
}

// dueHeap implements heap.Interface.
type dueHeap []*scheduled

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dueHeap) Push(x any) {
	s, ok := x.(*scheduled)
	if !ok {
		return
	}
	s.index = len(*h)
	*h = append(*h, s)
}

func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
