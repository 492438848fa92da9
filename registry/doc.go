// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package registry asks image registries how large images are, in the
// background: never while somebody waits for an admission answer, except for
// the bounded [Resolver.Wait].
//
// Contract: [Resolver.Want] never blocks and may be called for the same image
// as often as one likes; answers go to a [Sink]. Only hosts on the operator's
// list are asked, and no connection is ever made to an address of a private
// network that nobody listed, whatever names, redirects and token servers a
// registry comes up with. Each image is asked for once at a time, each host at
// a bounded rate. Sizes are bytes, compressed, as manifests declare them:
// nobody has checked them against the layers.
package registry
