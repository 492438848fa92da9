// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/watch"
)

// change is what has happened to an object.
type change uint8

const (
	added change = iota
	modified
	deleted
)

// watchType is the type of a change in a watch.
func (c change) watchType() watch.EventType {
	return [...]watch.EventType{added: watch.Added, modified: watch.Modified, deleted: watch.Deleted}[c]
}

// event is an object as it was after a change, or, of a deletion, before.
type event struct {
	item

	change change
}

func (i *item) version() uint64 {
	if i.index < 0 {
		return i.own.version
	}
	return i.state.Version
}

// history is the last changes of a collection, in their order.
type history struct {
	events []event
	limit  int
	// before is the version after which all changes are still there.
	before uint64
}

func (h *history) add(e event) {
	h.events = append(h.events, e)
	if len(h.events) > h.limit+h.limit/4 {
		h.drop(len(h.events) - h.limit)
	}
}

// drop forgets the n oldest changes.
func (h *history) drop(n int) {
	if n <= 0 {
		return
	}
	h.before = h.events[n-1].version()
	h.events = slices.Delete(h.events, 0, n)
}

// after returns a copy of at most n of the changes after a version, and false where some of them are forgotten.
func (h *history) after(version uint64, n int) (events []event, known bool) {
	if version < h.before {
		return nil, false
	}
	at, _ := slices.BinarySearchFunc(h.events, version+1, func(e event, v uint64) int { return cmp.Compare(e.version(), v) })
	return slices.Clone(h.events[at:min(len(h.events), at+n)]), true
}
