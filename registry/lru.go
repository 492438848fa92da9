// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import "container/list"

// lru is a map that knows which of its keys was used last. It is not safe for
// concurrent use, and never drops anything by itself.
type lru[K comparable, V any] struct {
	order *list.List // of *pair[K, V], last used first
	byKey map[K]*list.Element
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any]() *lru[K, V] {
	return &lru[K, V]{order: list.New(), byKey: map[K]*list.Element{}}
}

func (l *lru[K, V]) len() int { return l.order.Len() }

// get returns the value of a key and makes it the last used.
func (l *lru[K, V]) get(key K) (value V, found bool) {
	element, found := l.byKey[key]
	if !found {
		return value, false
	}
	l.order.MoveToFront(element)
	return valueOf[K, V](element).value, true
}

func (l *lru[K, V]) set(key K, value V) {
	if element, found := l.byKey[key]; found {
		valueOf[K, V](element).value = value
		l.order.MoveToFront(element)
		return
	}
	l.byKey[key] = l.order.PushFront(&pair[K, V]{key: key, value: value})
}

// trim drops those used longest ago, except the ones to keep, until at most n
// are left, and returns what was dropped.
func (l *lru[K, V]) trim(n int, keep func(V) bool) []V {
	var dropped []V
	for element := l.order.Back(); element != nil && l.order.Len() > n; {
		previous, p := element.Prev(), valueOf[K, V](element)
		if !keep(p.value) {
			l.order.Remove(element)
			delete(l.byKey, p.key)
			dropped = append(dropped, p.value)
		}
		element = previous
	}
	return dropped
}

// all calls f for each value, last used first.
func (l *lru[K, V]) all(f func(V)) {
	for element := l.order.Front(); element != nil; element = element.Next() {
		f(valueOf[K, V](element).value)
	}
}

func valueOf[K comparable, V any](element *list.Element) *pair[K, V] {
	p, _ := element.Value.(*pair[K, V]) // Nothing else is ever put in.
	return p
}

// oldest calls f for each key, last used last.
func (l *lru[K, V]) oldest(f func(K, V)) {
	for element := l.order.Back(); element != nil; element = element.Prev() {
		p := valueOf[K, V](element)
		f(p.key, p.value)
	}
}
