// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fleet makes up the nodes and pods of a large cluster, from a seed: what each object is follows from its index and
// a record of 32 bytes, and it is written as protobuf without ever being a Go object.
//
// An object is a stencil with holes: the encoded form of one like it, in which a name, a time or an address has a fixed
// width and is overwritten. A test holds each stencil against the object that it stands for, encoded by its own Marshal.
//
// Contract: pure functions of Options and arguments, safe for concurrent use. Times are seconds since 1970, sizes bytes. A
// resource version has ten digits, the first of them not 0.
package fleet
