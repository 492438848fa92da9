// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"reflect"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (r *reader) string(s *shape, into reflect.Value) bool {
	value, simple, ok := r.text()
	if ok && s.keep {
		if !simple {
			return false
		}
		into.SetString(string(value))
	}
	return ok
}

func (r *reader) bool(s *shape, into reflect.Value) bool {
	is := r.next() == 't'
	if is && !r.word("true") || !is && !r.word("false") {
		return false
	}
	if s.keep {
		into.SetBool(is)
	}
	return true
}

// integer reads numbers that are so short that they are no overflow.
func (r *reader) integer(s *shape, into reflect.Value) bool {
	n, ok := r.shortInteger(s.bits)
	if ok && s.keep {
		into.SetInt(n)
	}
	return ok
}

func (r *reader) shortInteger(bits int) (n int64, ok bool) {
	digits, whole, ok := r.number()
	if !ok || !whole {
		return 0, false
	}
	negative := digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	if most := bits * 9 / 32; len(digits) > most { // 2 of 8 bits, 4 of 16, 9 of 32, 18 of 64
		return 0, false
	}
	for _, c := range digits {
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

func (r *reader) quantity(s *shape, into reflect.Value) bool {
	if !s.keep {
		return r.anyQuantity()
	}
	q, ok := reflect.TypeAssert[*resource.Quantity](into.Addr())
	return ok && r.readQuantity(q)
}

func (r *reader) readQuantity(q *resource.Quantity) bool {
	if r.next() == 'n' {
		return false
	}
	start := r.at
	return r.skip() && q.UnmarshalJSON(r.data[start:r.at]) == nil
}

// anyQuantity passes over a quantity. Those that are not as short and simple as nearly all are parsed.
func (r *reader) anyQuantity() bool {
	start := r.at
	if written, simple, ok := r.text(); ok && simple && plainQuantity(written) {
		return true
	}
	r.at = start
	var q resource.Quantity
	return r.readQuantity(&q)
}

func plainQuantity(written []byte) bool {
	n := digitsAt(written, 0)
	if n == 0 || n > 9 {
		return false
	}
	switch string(written[n:]) {
	case "", "m", "k", "M", "G", "Ki", "Mi", "Gi":
		return true
	default:
		return false
	}
}

// moment passes over a time. Those that are not written as nearly all are parsed.
func (r *reader) moment() bool {
	start := r.at
	if written, simple, ok := r.text(); ok && simple && plainTime(written) {
		return true
	}
	r.at = start
	if !r.skip() {
		return false
	}
	var t metav1.Time
	return t.UnmarshalJSON(r.data[start:r.at]) == nil
}

func (r *reader) intOrString() bool {
	if r.next() == '"' {
		_, _, ok := r.text()
		return ok
	}
	_, ok := r.shortInteger(32)
	return ok
}

// plainTime reports whether it is like 2006-01-02T15:04:05Z, and of a day that every month has.
func plainTime(written []byte) bool {
	const like = "dddd-dd-ddTdd:dd:ddZ"
	if len(written) != len(like) {
		return false
	}
	for i, c := range written {
		if like[i] == 'd' && (c < '0' || c > '9') || like[i] != 'd' && c != like[i] {
			return false
		}
	}
	within := func(at int, low, high byte) bool {
		n := (written[at]-'0')*10 + written[at+1] - '0'
		return low <= n && n <= high
	}
	return within(5, 1, 12) && within(8, 1, 28) && within(11, 0, 23) && within(14, 0, 59) && within(17, 0, 59)
}
