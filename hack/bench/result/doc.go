// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package result holds what was measured, judges it by the targets, and writes the page about it.
//
// Contract: docs/performance.json is written by cmd/bench and by nobody else; docs/performance.md is a function of it. No figure
// on the page is written by hand. Every figure is the median of rounds, with the least and the greatest of them; a ratio is
// taken within each round, so that both sides had the same machine.
package result
