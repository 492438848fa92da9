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
// disk had lost when the pod was bound; and per node, the bytes lost so far.
//
// # Concurrency
//
// One mutex, held by writers only. A write builds the one row it changes and
// publishes a new immutable [Snapshot] before it returns; everything else is
// shared with the snapshot before. [Ledger.Snapshot] is one atomic load: a reader
// never waits, whatever writers do, and sees every write that has returned.
// Until [Ledger.MarkSynced], nothing is built or published: half a world is no
// ground for a decision, and the first lists are read in one go.
//
// # Units
//
// All quantities are bytes on the node's image file system, except the reported
// sizes of images, which are in the unit of the node's runtime (see imagesize).
// Times named after a sample or a start are the node's clock; all others ours.
// The package has no clock: now is an argument.
package ledger
