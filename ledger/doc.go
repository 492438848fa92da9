// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ledger holds, in memory, what is known about every node's image
// storage: capacity, available bytes, images, and the pulls that pods still owe.
//
// # States of an image on a node
//
//	reserved  an admitted pod that is not bound wants it, and could land here
//	pending   a pod bound here wants it, and it is not here yet
//	settled   a container that needed it has started since the last sample was
//	          taken: its bytes are on the disk but not in the sample
//	present   the node lists it, or a pod here has pulled it: it costs nothing
//
// A pod that is deleted takes none of the bytes with it that its images have taken.
// Until the node has been sampled after the deletion, what was settled for it stays
// so, and what was pending counts as perhaps under way. And until the node's list
// must have it, for two minutes, what the pod had or was to have is not known to be
// absent.
//
// An image is in one state per node however many pods want it, and moves down
// this list. What it costs in each state, as an interval, is said at [Account].
//
// # Writing
//
// Writers give absolute rows, never differences. Any row may come twice, late or
// before what it depends on: pods of unknown nodes are kept until the node is
// known, rows of a node or pod that has been deleted or replaced are recognised
// by their UID and ignored. Only what can't be recomputed from the rows held is
// remembered besides: per pod and image, what was on the node and how much its
// disk had lost when the pod was bound; per node, the bytes lost so far; and for
// two minutes, such images of pods that were deleted.
//
// # Concurrency
//
// One mutex, held by writers only. A write builds the one row it changes and
// publishes a new immutable [Snapshot] before it returns; everything else is
// shared with the snapshot before. [Ledger.Snapshot] is one atomic load: a reader
// never waits, whatever writers do, and sees every write that has returned; with
// [Ledger.Batch], rows are built and published for many writes at a time.
// Until [Ledger.MarkSynced], nothing is built or published: half a world is no
// ground for a decision, and the first lists are read in one go.
//
// # Units
//
// All quantities are bytes on the node's image file system, except the reported
// sizes of images, which are in the unit of the node's runtime (see imagesize).
// Times named after a sample or a start are the node's clock; all others ours. The
// two are never compared: by our clock, a sample was taken its age before we had it.
// The package has no clock: now is an argument.
package ledger
