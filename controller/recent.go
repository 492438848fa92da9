// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import "container/list"

// recent is a map of bounded size: the entry that was set longest ago makes room. Not safe for concurrent use.
type recent[K comparable, V any] struct {
	limit int
	order *list.List // of *recentEntry[K, V], last set first
	byKey map[K]*list.Element
	// dropped is told about each key that had to make room, after it has; nil for nobody.
	dropped func(K)
}

type recentEntry[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](limit int, dropped func(K)) *recent[K, V] {
	return &recent[K, V]{limit: limit, order: list.New(), byKey: make(map[K]*list.Element), dropped: dropped}
}

func (r *recent[K, V]) len() int { return r.order.Len() }

func (r *recent[K, V]) get(key K) (value V, found bool) {
	if element, known := r.byKey[key]; known {
		return entryOf[K, V](element).value, true
	}
	return value, false
}

func (r *recent[K, V]) set(key K, value V) {
	if element, known := r.byKey[key]; known {
		entryOf[K, V](element).value = value
		r.order.MoveToFront(element)
		return
	}
	r.byKey[key] = r.order.PushFront(&recentEntry[K, V]{key: key, value: value})
	if r.order.Len() <= r.limit {
		return
	}
	if oldest := r.removeOldest(); r.dropped != nil {
		r.dropped(oldest)
	}
}

// removeOldest takes out the entry that was set longest ago. There must be one.
func (r *recent[K, V]) removeOldest() K {
	oldest := entryOf[K, V](r.order.Back()).key
	r.remove(oldest)
	return oldest
}

func (r *recent[K, V]) remove(key K) {
	if element, known := r.byKey[key]; known {
		r.order.Remove(element)
		delete(r.byKey, key)
	}
}

// all calls f for each entry, last set first. f must not change r.
func (r *recent[K, V]) all(f func(K, V)) {
	for element := r.order.Front(); element != nil; element = element.Next() {
		e := entryOf[K, V](element)
		f(e.key, e.value)
	}
}

func entryOf[K comparable, V any](element *list.Element) *recentEntry[K, V] {
	e, _ := element.Value.(*recentEntry[K, V]) // Nothing else is ever put in.
	return e
}
