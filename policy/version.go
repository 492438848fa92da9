// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
)

// What Version is of policies that nobody wrote.
const (
	DefaultVersion  = "defaults"
	FallbackVersion = "fallback"
)

// versionOf is equal on all replicas that have read the same text.
func versionOf(text []byte) string {
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:6])
}

// Same reports whether two policies decide alike, whatever texts say so. Neither is nil.
func Same(a, b *Policy) bool {
	x, y := *a, *b
	x.Version, y.Version = "", ""
	return reflect.DeepEqual(x, y)
}
