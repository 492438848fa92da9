// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build race

package fit

// worlds is a part of those without the race detector, which makes each take ten times as long. A law is about what is decided,
// not about who runs at the same time: `make test` holds it against all of them without the detector, too.
const worlds = 2_400
