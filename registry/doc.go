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
// a bounded rate. Compressed sizes are bytes as manifests declare them: nobody has
// checked them. What the files of a layer take on a disk is estimated from the first
// and last bytes of its blob (package layer), once for each blob of a host; a layer
// that can't be read, or contradicts its manifest, has no such size, and is no
// failure of the image. The sink is told the manifest first, and again with its layers.
package registry
