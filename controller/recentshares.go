// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

// sharedRecent is a map of bounded size that namespaces share: where it is full, the namespace with the most entries loses the
// one that was set longest ago. So whoever fills it loses their own, and nobody else's. Not safe for concurrent use.
type sharedRecent[K comparable, V any] struct {
	limit, size int
	namespace   func(K) string
	shares      map[string]*recent[K, V] // none is empty
}

func newSharedRecent[K comparable, V any](limit int, namespace func(K) string) *sharedRecent[K, V] {
	return &sharedRecent[K, V]{limit: limit, namespace: namespace, shares: make(map[string]*recent[K, V])}
}

func (r *sharedRecent[K, V]) len() int { return r.size }

func (r *sharedRecent[K, V]) get(key K) (value V, found bool) {
	if share, known := r.shares[r.namespace(key)]; known {
		return share.get(key)
	}
	return value, false
}

func (r *sharedRecent[K, V]) set(key K, value V) {
	namespace := r.namespace(key)
	if _, known := r.get(key); !known {
		if r.size == r.limit {
			r.makeRoom(namespace)
		}
		r.size++
	}
	share := r.shares[namespace]
	if share == nil {
		share = newRecent[K, V](r.limit, nil)
		r.shares[namespace] = share
	}
	share.set(key, value)
}

// makeRoom takes an entry out: of the namespace that asks for it, unless another has more.
func (r *sharedRecent[K, V]) makeRoom(namespace string) {
	most := namespace
	for other, share := range r.shares {
		if r.shares[most] == nil || share.len() > r.shares[most].len() {
			most = other
		}
	}
	r.size--
	if r.shares[most].removeOldest(); r.shares[most].len() == 0 {
		delete(r.shares, most)
	}
}
