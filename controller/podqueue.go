// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/headroom-dev/headroom/ledger"
)

// podQueue is where a reflector puts pods. It holds none: each goes into the ledger as it comes, and what is known of it
// afterwards is what the ledger knows. It implements [cache.Queue] and [cache.TransformingStore].
//
// Nearly all pods of a streaming list come by a [podListing], and never get to the reflector. What it gets of one, it collects before
// it replaces the contents of the queue; of the pods that is nothing but their UIDs, because they are transformed first. A list that is
// broken off has written what came of it; what it wrote is true.
type podQueue struct {
	// set is told of a *corev1.Pod or a *leanPod.
	set     func(metav1.Object) error
	deleted func(types.UID)
	// others returns the UIDs of the pods held, but for those given.
	others func(*ledger.UIDs) []types.UID

	mu      sync.Mutex  // held while a pod is written: a listing reads beside the reflector
	listing *podListing // the last that has begun and not been applied, nil for none; guarded by mu

	listed  atomic.Int64  // how many pods the last list had
	applied chan struct{} // closed when the first list is in
	ended   chan struct{}
	once    [2]sync.Once
}

func newPodQueue(set func(metav1.Object) error, deleted func(types.UID), others func(*ledger.UIDs) []types.UID) *podQueue {
	return &podQueue{set: set, deleted: deleted, others: others, applied: make(chan struct{}), ended: make(chan struct{})}
}

// Transformer is what becomes of the pods of a list: they are written, and leave their UID.
func (q *podQueue) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		if p := podIn(object); p != nil {
			return p.GetUID(), q.Add(p)
		}
		return object, nil
	}
}

// begin makes a listing the one that counts, nil for none.
func (q *podQueue) begin(l *podListing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.listing = l
}

// take writes the pod at hand of a listing. It is false for what the reflector has to see, and fails where the listing does not count
// any more.
func (q *podQueue) take(l *podListing, kind watch.EventType) (taken bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.listing != l {
		return false, errSuperseded
	}
	switch kind {
	case watch.Added, watch.Modified:
		if q.set(&l.pod) != nil {
			return false, nil // The reflector will say so, and go on.
		}
		l.listed.Add(l.pod.UID)
		return true, nil
	case watch.Deleted:
		q.deleted(l.pod.UID)
		return true, nil
	default:
		return false, nil
	}
}

// Add implements [cache.ReflectorStore].
func (q *podQueue) Add(object any) error {
	p := podIn(object)
	if p == nil {
		return fmt.Errorf("a %T is no pod", object)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.set(p)
}

// podIn returns the pod that an object is, nil for none.
func podIn(object any) metav1.Object {
	switch p := object.(type) {
	case *corev1.Pod:
		return p
	case *leanPod:
		return p
	default:
		return nil
	}
}

// Update implements [cache.ReflectorStore].
func (q *podQueue) Update(object any) error { return q.Add(object) }

// Delete implements [cache.ReflectorStore].
func (q *podQueue) Delete(object any) error {
	p := podIn(object)
	if p == nil {
		return fmt.Errorf("a %T is no pod", object)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deleted(p.GetUID())
	return nil
}

// Replace implements [cache.ReflectorStore]: it writes pods that are not written yet, and deletes all others that are held.
func (q *podQueue) Replace(objects []any, _ string) error {
	listed := q.applying()
	for _, object := range objects {
		if uid, is := object.(types.UID); is {
			listed.Add(uid)
			continue
		}
		if err := q.Add(object); err != nil {
			return err
		}
		listed.Add(podIn(object).GetUID())
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, uid := range q.others(&listed) {
		q.deleted(uid)
	}
	q.listed.Store(int64(listed.Len()))
	q.once[0].Do(func() { close(q.applied) })
	return nil
}

// applying returns the pods that have come by a listing that is complete.
func (q *podQueue) applying() (listed ledger.UIDs) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.listing != nil {
		listed = q.listing.listed
	}
	q.listing = nil
	return listed
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
