// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// keyOf hashes all that [Constraints.Possible] and [Constraints.TiedTo] read. Everything is written with its length, so that
// what differs is written differently.
func keyOf(c *Constraints, required *corev1.NodeSelector) string {
	var space [512]byte // enough for most pods
	b := appendTexts(space[:0], c.nodeName, c.os)
	b = appendLength(b, len(c.selector))
	if len(c.selector) > 0 {
		for _, label := range slices.Sorted(maps.Keys(c.selector)) {
			b = appendTexts(b, label, c.selector[label])
		}
	}
	b = appendLength(b, len(c.tolerations))
	for i := range c.tolerations {
		b = appendToleration(b, &c.tolerations[i])
	}
	b = appendFlag(b, required != nil)
	if required != nil {
		b = appendLength(b, len(required.NodeSelectorTerms))
		for i := range required.NodeSelectorTerms {
			b = appendRequirements(b, required.NodeSelectorTerms[i].MatchExpressions)
			b = appendRequirements(b, required.NodeSelectorTerms[i].MatchFields)
		}
	}
	sum := sha256.Sum256(appendFlag(b, c.beyond))
	return hex.EncodeToString(sum[:])
}

func appendToleration(b []byte, t *corev1.Toleration) []byte {
	b = appendTexts(b, t.Key, string(t.Operator), t.Value, string(t.Effect))
	b = appendFlag(b, t.TolerationSeconds != nil)
	if t.TolerationSeconds != nil {
		b = binary.AppendVarint(b, *t.TolerationSeconds)
	}
	return b
}

func appendRequirements(b []byte, all []corev1.NodeSelectorRequirement) []byte {
	b = appendLength(b, len(all))
	for i := range all {
		b = appendTexts(b, all[i].Key, string(all[i].Operator))
		b = appendLength(b, len(all[i].Values))
		b = appendTexts(b, all[i].Values...)
	}
	return b
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(appendLength(b, len(text)), text...)
	}
	return b
}

func appendLength(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(max(n, 0))) }

func appendFlag(b []byte, set bool) []byte {
	if set {
		return append(b, 1)
	}
	return append(b, 0)
}
