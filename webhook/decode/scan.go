// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth is how deep values may be nested that are passed over: far more than a manifest is, and little enough for recursion.
// What is deeper is for the typed decoder, which takes up to 10,000.
const maxDepth = 100

// scanner reads JSON (RFC 8259) from memory. Its methods report false for what is not JSON, and for what they leave to another
// decoder; then the scanner is of no further use.
type scanner struct {
	data []byte
	at   int
}

// next returns the first byte of what comes next, 0 at the end, and stays before it.
func (s *scanner) next() byte {
	if s.at < len(s.data) && s.data[s.at] > ' ' {
		return s.data[s.at] // as always in what programs write
	}
	return s.nextAfterSpace()
}

func (s *scanner) nextAfterSpace() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take passes over what comes next if it is c.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// more is called before each member of an object or array but the first: it passes over the comma, or the end.
func (s *scanner) more(end byte) (another, ok bool) {
	switch s.next() {
	case ',':
		s.at++
		return true, true
	case end:
		s.at++
		return false, true
	default:
		return false, false
	}
}

// text returns what is between the quotes. simple says that this is the string itself: there is nothing in it to replace.
func (s *scanner) text() (between []byte, simple, ok bool) {
	if s.next() != '"' {
		return nil, false, false
	}
	start := s.at + 1
	simple = true
	for i := start; ; {
		i = plainUntil(s.data, i)
		if i >= len(s.data) {
			return nil, false, false
		}
		switch c := s.data[i]; {
		case c == '"':
			s.at = i + 1
			return s.data[start:i], simple, true
		case c == '\\':
			n := escape(s.data[i:])
			if n == 0 {
				return nil, false, false
			}
			i += n
		case c < ' ':
			return nil, false, false
		default: // UTF-8 that is wrong gets replaced, not refused
			i++
		}
		simple = false
	}
}

// plainUntil returns where the first byte from i on is that does not stand for itself in a string, or the end.
func plainUntil(data []byte, i int) int {
	for ; i+8 <= len(data); i += 8 {
		if marks := special(binary.LittleEndian.Uint64(data[i:])); marks != 0 {
			return i + bits.TrailingZeros64(marks)/8
		}
	}
	for i < len(data) && data[i] >= ' ' && data[i] < 0x80 && data[i] != '"' && data[i] != '\\' {
		i++
	}
	return i
}

// special marks, by the highest bit of each, bytes that don't stand for themselves in a string: the quote, the backslash, control
// characters and all that is not ASCII. Bytes after the first that is marked may be marked, too.
func special(eight uint64) uint64 {
	const ones = 0x0101010101010101
	quote, backslash := eight^('"'*ones), eight^('\\'*ones)
	return ((quote - ones) | (backslash - ones) | (eight - ' '*ones) | eight) & (0x80 * ones)
}

// escape returns how long the escape sequence is that data begins with, 0 for none.
func escape(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(data) < 6 {
			return 0
		}
		for _, c := range data[2:6] {
			if lower := c | 0x20; (c < '0' || c > '9') && (lower < 'a' || lower > 'f') {
				return 0
			}
		}
		return 6
	default:
		return 0
	}
}

// word passes over true, false or null.
func (s *scanner) word(w string) bool {
	s.next()
	if end := s.at + len(w); end <= len(s.data) && string(s.data[s.at:end]) == w {
		s.at = end
		return true
	}
	return false
}

// skip passes over a value.
func (s *scanner) skip() bool { return s.skipBelow(maxDepth) }

func (s *scanner) skipBelow(depth int) bool {
	if depth == 0 {
		return false
	}
	switch s.next() {
	case '{':
		return s.skipObject(depth)
	case '[':
		return s.skipArray(depth)
	case '"':
		_, _, ok := s.text()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		_, _, ok := s.number()
		return ok
	}
}

func (s *scanner) skipObject(depth int) bool {
	s.at++
	if s.take('}') {
		return true
	}
	for {
		if _, _, ok := s.text(); !ok || !s.take(':') || !s.skipBelow(depth-1) {
			return false
		}
		if another, ok := s.more('}'); !another {
			return ok
		}
	}
}

func (s *scanner) skipArray(depth int) bool {
	s.at++
	if s.take(']') {
		return true
	}
	for {
		if !s.skipBelow(depth - 1) {
			return false
		}
		if another, ok := s.more(']'); !another {
			return ok
		}
	}
}
