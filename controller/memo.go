// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import "github.com/headroom-dev/headroom/imageref"

const (
	// maxMemo is how many of the last texts are remembered, twice at most, and maxMemoText how long they may be.
	maxMemo, maxMemoText = 16384, imageref.MaxLength
)

// memo remembers what texts come to that come again and again. Not safe for concurrent use.
type memo[V any] struct{ young, old map[string]V }

func (m *memo[V]) of(text string, find func(string) V) V {
	value, known := m.young[text]
	if known {
		return value
	}
	if value, known = m.old[text]; !known {
		value = find(text)
	}
	if len(text) > maxMemoText {
		return value
	}
	if m.young == nil || len(m.young) >= maxMemo {
		m.young, m.old = make(map[string]V), m.young
	}
	m.young[text] = value
	return value
}

// imageIDs remembers what images the IDs stand for that container statuses tell: all replicas tell the same ones, and to parse one
// takes longer than all the rest of a row. Nil remembers nothing.
type imageIDs struct{ memo[imageref.Ref] }

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
type texts struct{ memo[string] }

// labels returns equal labels in the texts' memory.
func (t *texts) labels(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return labels
	}
	same := func(text string) string { return text }
	shared := make(map[string]string, len(labels))
	for key, value := range labels {
		shared[t.of(key, same)] = t.of(value, same)
	}
	return shared
}
