// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

// noticeQueue holds notices until they are told. Namespaces take turns, and where it is full, the one with the most in it loses
// its latest: however much one has to say, it waits for itself, and the others for one notice of it. Not safe for concurrent use.
type noticeQueue struct {
	limit, size int
	waiting     map[string][]Notice // by namespace, oldest first; none is empty
	turns       []string            // the namespaces, next one first
}

func newNoticeQueue(limit int) *noticeQueue {
	return &noticeQueue{limit: limit, waiting: make(map[string][]Notice)}
}

func (q *noticeQueue) len() int { return q.size }

// put returns whether there was room for n, and what was dropped to make it, nil for nothing.
func (q *noticeQueue) put(n Notice) (taken bool, dropped *Notice) {
	namespace := n.About.Namespace
	if q.size == q.limit {
		most := q.most()
		// For one that has as much, or one less, nobody makes room: that would only turn it round.
		if len(q.waiting[most]) <= len(q.waiting[namespace])+1 {
			return false, nil
		}
		dropped = q.dropLatest(most)
	}
	if len(q.waiting[namespace]) == 0 {
		q.turns = append(q.turns, namespace)
	}
	q.waiting[namespace] = append(q.waiting[namespace], n)
	q.size++
	return true, dropped
}

// next takes out the notice whose turn it is. There must be one.
func (q *noticeQueue) next() Notice {
	namespace := q.turns[0]
	q.turns = q.turns[1:]
	of := q.waiting[namespace]
	n := of[0]
	of[0] = Notice{} // The rest may stay for long, and its memory with it.
	if len(of) > 1 {
		q.waiting[namespace] = of[1:]
		q.turns = append(q.turns, namespace)
	} else {
		delete(q.waiting, namespace)
	}
	q.size--
	return n
}

func (q *noticeQueue) most() (most string) {
	for namespace, of := range q.waiting {
		if len(of) > len(q.waiting[most]) {
			most = namespace
		}
	}
	return most
}

// dropLatest is for a namespace that has several.
func (q *noticeQueue) dropLatest(namespace string) *Notice {
	of := q.waiting[namespace]
	last := len(of) - 1
	dropped := of[last]
	of[last] = Notice{}
	q.waiting[namespace] = of[:last]
	q.size--
	return &dropped
}
