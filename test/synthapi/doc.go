// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package synthapi is an API server for load and for faults: it lists and watches the nodes and pods of a generated fleet as
// kube-apiserver does, in protobuf or JSON, page by page, as a stream or at once, and keeps a small store of everything else
// that clients ask for. Nothing runs behind it: a Churn changes what is there, at any rate, and Faults spoil the streams.
//
// Contract: of the objects only what has changed is held, 32 bytes for each, and of their history the last changes; older
// versions are answered with 410 Gone. What a list returns is what a watch would have led to. It serves one machine: plain
// HTTP on loopback, everybody may do everything. Rates are per second.
package synthapi
