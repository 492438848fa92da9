// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fleet makes up clusters of any size: the Node and Pod objects, and the ledger that Headroom would have of them.
//
// Contract: a fleet is a function of its [Spec] alone, so that every peer and every round sees the same one. Nodes are of 12
// kinds that selectors and taints tell apart (4 pools in 3 zones); each lists 50 images (or as many as asked for) out of 2,000,
// of which 5 are on every node. Byte counts are plain int64.
package fleet
