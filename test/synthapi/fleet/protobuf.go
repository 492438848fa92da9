// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// appendField adds a field of bytes, by its tag, to a message.
func appendField(b []byte, tag byte, content []byte) []byte {
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(content)))
	return append(b, content...)
}

// uvarintLen is how many bytes a varint takes.
func uvarintLen(n int) int { return max(1, (bits.Len(uint(n))+6)/7) }

// lastField splits a message before its last field, which is one of bytes and has this tag, and returns that one's content.
func lastField(message []byte, tag byte) (before, content []byte, err error) {
	for at := 0; at < len(message); {
		start := at
		if message[at]&7 != 2 {
			return nil, nil, errors.New("a field that is not of bytes")
		}
		length, n := binary.Uvarint(message[at+1:])
		if n <= 0 || length > uint64(len(message)) {
			return nil, nil, errors.New("a field of no valid length")
		}
		at += 1 + n + int(length) //nolint:gosec // it is not above the message's
		if at == len(message) && message[start] == tag {
			return message[:start], message[start+1+n:], nil
		}
	}
	return nil, nil, errors.New("the last field is another one")
}
