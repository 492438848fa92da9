// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// podQueue is where a reflector puts pods. It holds none: each goes into the ledger as it comes, and what is known of it
// afterwards is what the ledger knows. It implements [cache.Queue] and [cache.TransformingStore].
//
// A streaming list collects what it gets before it replaces the contents of the queue; of the pods that is nothing but their UIDs,
// because they are transformed first. A list that is broken off has written what came of it; what it wrote is true.
type podQueue struct {
	set     func(*corev1.Pod)
	deleted func(types.UID)
	// others returns the UIDs of the pods held, but for those given.
	others func([]types.UID) []types.UID

	listed  atomic.Int64  // how many pods the last list had
	applied chan struct{} // closed when the first list is in
	ended   chan struct{}
	once    [2]sync.Once
}

func newPodQueue(set func(*corev1.Pod), deleted func(types.UID), others func([]types.UID) []types.UID) *podQueue {
	return &podQueue{set: set, deleted: deleted, others: others, applied: make(chan struct{}), ended: make(chan struct{})}
}

// Transformer is what becomes of the pods of a list: they are written, and leave their UID.
func (q *podQueue) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		if p, ok := object.(*corev1.Pod); ok {
			q.set(p)
			return p.UID, nil
		}
		return object, nil
	}
}

// Add implements [cache.ReflectorStore].
func (q *podQueue) Add(object any) error {
	p, ok := object.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("a %T is no pod", object)
	}
	q.set(p)
	return nil
}

// Update implements [cache.ReflectorStore].
func (q *podQueue) Update(object any) error { return q.Add(object) }

// Delete implements [cache.ReflectorStore].
func (q *podQueue) Delete(object any) error {
	p, ok := object.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("a %T is no pod", object)
	}
	q.deleted(p.UID)
	return nil
}

// Replace implements [cache.ReflectorStore]: it writes pods that are not written yet, and deletes all others that are held.
func (q *podQueue) Replace(objects []any, _ string) error {
	uids := make([]types.UID, 0, len(objects))
	for _, object := range objects {
		switch o := object.(type) {
		case types.UID:
			uids = append(uids, o)
		case *corev1.Pod:
			q.set(o)
			uids = append(uids, o.UID)
		default:
			return fmt.Errorf("a %T is no pod", object)
		}
	}
	for _, uid := range q.others(uids) {
		q.deleted(uid)
	}
	q.listed.Store(int64(len(uids)))
	q.once[0].Do(func() { close(q.applied) })
	return nil
}

// Resync implements [cache.ReflectorStore]. There is one copy of what is known of a pod, so that there is nothing to bring in step.
func (q *podQueue) Resync() error { return nil }

// Pop implements [cache.Queue]: there is never anything to take out.
func (q *podQueue) Pop(cache.PopProcessFunc) (any, error) {
	<-q.ended
	return nil, cache.ErrFIFOClosed
}

// HasSynced implements [cache.Queue].
func (q *podQueue) HasSynced() bool {
	select {
	case <-q.applied:
		return true
	default:
		return false
	}
}

// HasSyncedChecker implements [cache.Queue].
func (q *podQueue) HasSyncedChecker() cache.DoneChecker { return podsApplied{q} }

// Close implements [cache.Queue].
func (q *podQueue) Close() { q.once[1].Do(func() { close(q.ended) }) }

type podsApplied struct{ *podQueue }

// Name implements [cache.DoneChecker].
func (podsApplied) Name() string { return "pods" }

// Done implements [cache.DoneChecker].
func (p podsApplied) Done() <-chan struct{} { return p.applied }
