// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestShortUIDs(t *testing.T) {
	for uid, whole := range map[types.UID]bool{
		"2c4cbd3e-8f2b-4a64-9d3c-0123456789ab":  true,
		"ffffffff-ffff-ffff-ffff-ffffffffffff":  true,
		"00000000-0000-4000-8000-000000000000":  true,
		"00000000-0000-0000-0000-000000000000":  false, // no version
		"2C4CBD3E-8F2B-4A64-9D3C-0123456789AB":  false, // would come back in lower case
		"2c4cbd3e-8f2b-4a64-9d3c-0123456789a":   false,
		"2c4cbd3e-8f2b-4a64-9d3c-0123456789abc": false,
		"2c4cbd3e_8f2b-4a64-9d3c-0123456789ab":  false,
		"2c4cbd3e-8f2b-4a64-9d3c-0123456789ag":  false,
		"2c4cbd3e-8f2b4-a64-9d3c-0123456789ab":  false,
		"pod":                                   false,
		"":                                      false,
	} {
		short, isWhole := shorten(uid)
		if isWhole != whole {
			t.Errorf("%q can be had back: %v, want %v", uid, isWhole, whole)
		}
		if whole && short.long() != uid {
			t.Errorf("%q comes back as %q", uid, short.long())
		}
		if again, _ := shorten(uid); again != short {
			t.Errorf("%q is once %x and once %x", uid, short, again)
		}
		if version := short[6] >> 4; !whole && version != 0 {
			t.Errorf("%q is %x, which may be a UUID's", uid, short)
		}
	}
}

func FuzzShortUIDs(f *testing.F) {
	f.Add("2c4cbd3e-8f2b-4a64-9d3c-0123456789ab")
	f.Add("2c4cbd3e-8f2b-4a64-9d3c-0123456789aé")
	f.Fuzz(func(t *testing.T, uid string) {
		if short, whole := shorten(types.UID(uid)); whole && string(short.long()) != uid {
			t.Errorf("%q comes back as %q", uid, short.long())
		}
	})
}
