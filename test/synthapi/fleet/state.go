// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

// Phase is how far an object is in its life.
type Phase uint8

const (
	// Gone is an object that is not there.
	Gone Phase = iota
	// Waiting is a pod without a node.
	Waiting
	// Bound is a pod whose node has not begun with it.
	Bound
	// Running is a pod that runs, or a node that is ready.
	Running
	// Deleting is a pod that has been told to end.
	Deleting

	phases
)

// State is all that tells an object from what it was at first.
type State struct {
	// Version is its resource version.
	Version uint64
	// Created, Started and Deleted are when, as far as it has happened. A node's Started is its last heartbeat.
	Created, Started, Deleted uint32
	// Life counts the pods that a place has had, each with a name and UID of its own, or the image lists that a node has had.
	Life  uint32
	Phase Phase
}

// Kind makes objects of one kind, by index.
type Kind interface {
	// Len is how many there are.
	Len() int
	// First is the state of the i-th at first.
	First(i int) State
	// Size is how many bytes Append adds.
	Size(i int, s State) int
	// Append adds the object in protobuf, without an envelope, to b.
	Append(b []byte, i int, s State) []byte
	// Key is the object's namespace, "" for none, and name.
	Key(i int, s State) (namespace, name string)
	// Find is the place of an object of that name, whatever is there now.
	Find(namespace, name string) (i int, found bool)
}
