// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import "github.com/headroom-dev/headroom/imageref"

const (
	// maxMemo is how many of the last texts are remembered, twice at most, and maxMemoText how long they may be.
	maxMemo, maxMemoText = 16384, imageref.MaxLength
)

// memo remembers what keys come to that come again and again. Not safe for concurrent use.
type memo[K comparable, V any] struct {
	// limit is how many of the last are remembered, twice at most.
	limit      int
	young, old map[K]V
}

// get returns what a key comes to, false where it is not remembered.
func (m *memo[K, V]) get(key K) (value V, known bool) {
	if value, known = m.young[key]; known {
		return value, true
	}
	if value, known = m.old[key]; known {
		m.set(key, value)
	}
	return value, known
}

func (m *memo[K, V]) set(key K, value V) {
	if m.young == nil || len(m.young) >= m.limit {
		m.young, m.old = make(map[K]V), m.young
	}
	m.young[key] = value
}

// textMemo is a memo of texts.
type textMemo[V any] struct{ memo[string, V] }

func (m *textMemo[V]) of(text string, find func(string) V) V {
	value, known := m.get(text)
	if known {
		return value
	}
	value = find(text)
	if len(text) <= maxMemoText {
		m.limit = maxMemo
		m.set(text, value)
	}
	return value
}

// imageIDs remembers what images the IDs stand for that container statuses tell: all replicas tell the same ones, and to parse one
// takes longer than all the rest of a row. Nil remembers nothing.
type imageIDs struct{ textMemo[imageref.Ref] }

// parse is [imageref.ParseImageID].
func (m *imageIDs) parse(id string) (imageref.Ref, bool) {
	if m == nil || id == "" {
		return imageref.ParseImageID(id)
	}
	ref := m.of(id, func(id string) imageref.Ref {
		ref, _ := imageref.ParseImageID(id)
		return ref
	})
	return ref, !ref.IsZero()
}

// texts has one copy of each text that comes again and again, such as the labels of nodes.
type texts struct{ textMemo[string] }
