// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kubelet asks one kubelet two things: how full the file system of its
// images is (the Summary API, /stats/summary), and where its lines are
// (/configz).
//
// Contract: a [Client] is safe for concurrent use, and one that asks kubelets
// directly leaves no connection open between calls. Every call is bounded in time
// and in the bytes it reads, follows no redirect, and fails with an [*Error], whose
// [Reason] is one of a closed set. It keeps no state about nodes: when to ask and
// how often is the caller's business. Sizes are bytes, percents are 0 to 100.
package kubelet
