// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

// number returns a number as it is written. whole says that it is an integer without exponent.
func (s *scanner) number() (digits []byte, whole, ok bool) {
	s.next()
	data, start := s.data, s.at
	i := start
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch {
	case i < len(data) && data[i] == '0':
		i++
	case digitsAt(data, i) > 0:
		i += digitsAt(data, i)
	default:
		return nil, false, false
	}
	whole = true
	if i < len(data) && data[i] == '.' {
		n := digitsAt(data, i+1)
		if n == 0 {
			return nil, false, false
		}
		i, whole = i+1+n, false
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		n := digitsAt(data, i)
		if n == 0 {
			return nil, false, false
		}
		i, whole = i+n, false
	}
	s.at = i
	return data[start:i], whole, true
}

func digitsAt(data []byte, i int) int {
	start := i
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	return i - start
}
