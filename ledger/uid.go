// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// shortUID is a UID in 16 bytes. API servers make UUIDs, of which these are the bytes; other texts are hashed so that nobody
// can make two that are the same.
type shortUID [16]byte

// shorten reports whether the UID can be had back from what it returns.
func shorten(uid types.UID) (short shortUID, whole bool) {
	if short, whole = parseUUID(string(uid)); whole {
		return short, true
	}
	hash := sha256.Sum256([]byte(uid))
	copy(short[:], hash[:])
	short[6] &= 0x0f // which no UUID has: its version is never 0
	return short, false
}

// parseUUID reads a UUID as API servers write it, in lower case.
func parseUUID(text string) (short shortUID, ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return shortUID{}, false
	}
	at := 0
	for i := range short {
		if text[at] == '-' {
			at++
		}
		high, low := nibble(text[at]), nibble(text[at+1])
		if high|low > 0x0f {
			return shortUID{}, false
		}
		short[i] = high<<4 | low
		at += 2
	}
	return short, short[6]&0xf0 != 0
}

// nibble returns the value of a digit, and 0xff for what is none.
func nibble(digit byte) byte {
	switch {
	case '0' <= digit && digit <= '9':
		return digit - '0'
	case 'a' <= digit && digit <= 'f':
		return digit - 'a' + 10
	default:
		return 0xff
	}
}

// long returns the UUID.
func (s shortUID) long() types.UID {
	text := make([]byte, 36)
	hex.Encode(text, s[:4])
	hex.Encode(text[9:], s[4:6])
	hex.Encode(text[14:], s[6:8])
	hex.Encode(text[19:], s[8:10])
	hex.Encode(text[24:], s[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return types.UID(text)
}

// UIDs is a set of UIDs of pods, in 16 bytes each. The zero value is empty. Not safe for concurrent use.
type UIDs struct {
	short   []shortUID
	ordered bool // and each of them once
}

// Add puts a UID in.
func (u *UIDs) Add(uid types.UID) {
	short, _ := shorten(uid)
	u.short, u.ordered = append(u.short, short), false
}

// Has reports whether a UID is in.
func (u *UIDs) Has(uid types.UID) bool {
	short, _ := shorten(uid)
	return u.has(short)
}

func (u *UIDs) has(short shortUID) bool {
	u.order()
	_, found := slices.BinarySearchFunc(u.short, short, compareUIDs)
	return found
}

// Len is how many there are.
func (u *UIDs) Len() int {
	u.order()
	return len(u.short)
}

func (u *UIDs) order() {
	if !u.ordered {
		slices.SortFunc(u.short, compareUIDs)
		u.short, u.ordered = slices.Compact(u.short), true
	}
}

func compareUIDs(a, b shortUID) int { return bytes.Compare(a[:], b[:]) }
