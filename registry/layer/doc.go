// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package layer says what the files of an image layer take on a disk, from the
// first and last bytes of its blob.
//
// Contract: bytes in, facts out; nothing here opens a file or a connection. Sizes
// are bytes of blocks on a file system with blocks of 4 KiB: the likely value is
// that of ext4, the low bound holds where small folders take no block, as on XFS.
// A fact depends on the content of the blob alone, never on what a manifest says of
// it, so that one image can't change what is known of another that shares the layer.
//
// Whoever made a blob may lie in it: about the sizes of files, about the size of the
// stream, and in a table of contents. What can't be true is not believed, and memory
// and time are bounded whatever the input. What can be true is believed where a
// runtime that unpacks the blob would fail if it were false.
package layer
