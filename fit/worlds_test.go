// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package fit

// worlds is how many random worlds a law is held against.
const worlds = 12_000
