// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools names the main packages the lab builds from this module, so that go.mod keeps what they need.
package tools

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
)
