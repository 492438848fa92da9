// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/binary"
	"iter"
	"slices"
)

// wire says what is kept of a message in protobuf: the fields that somebody reads, so that the others, which are most of an object's
// bytes, need not be decoded. It never changes.
type wire struct {
	// fields are by number; nil drops.
	fields []*wire
	// must are the fields of which one has to be kept, and not be zero: else the message goes as a whole. 0 is any message.
	must uint64
	// where are texts of which the first field has to be one; nil is any message.
	where []string
	// envelope is set for an object as it is in an event.
	envelope bool
}

// all keeps a field as it is.
var all = &wire{}

// kept are the fields kept of a message, by number.
type kept map[int]*wire

func message(of kept) *wire {
	w := &wire{}
	for number, field := range of {
		for len(w.fields) <= number {
			w.fields = append(w.fields, nil)
		}
		w.fields[number] = field
	}
	return w
}

// having is the message where one of these fields is kept and not zero. No number is above 63.
func (w wire) having(numbers ...int) *wire {
	for _, number := range numbers {
		w.must |= 1 << number
	}
	return &w
}

// of is the message where its first field is one of these texts.
func (w wire) of(texts ...string) *wire {
	w.where = texts
	return &w
}

func (w *wire) field(number uint64) *wire {
	if number < uint64(len(w.fields)) {
		return w.fields[number]
	}
	return nil
}

// Kinds of fields in protobuf. There are no others in objects of Kubernetes.
const (
	wireVarint, wireFixed64, wireBytes, wireFixed32 = 0, 1, 2, 5
)

// wireField is one field of a message.
type wireField struct {
	number, kind uint64
	// raw is the whole of it, in which length is at lengthAt and the content follows; value is that of a varint.
	raw, content []byte
	lengthAt     int
	value        uint64
}

// nextField reads a message's first field. It is false where there is none.
func nextField(m []byte) (f wireField, whole bool) {
	tag, n := binary.Uvarint(m)
	if n <= 0 {
		return f, false
	}
	f.number, f.kind, f.lengthAt = tag>>3, tag&7, n
	size := n
	switch f.kind {
	case wireVarint:
		value, k := binary.Uvarint(m[n:])
		if k <= 0 {
			return f, false
		}
		f.value = value
		size += k
	case wireFixed64:
		size += 8
	case wireFixed32:
		size += 4
	case wireBytes:
		length, k := binary.Uvarint(m[n:])
		if k <= 0 || length > uint64(len(m)-n-k) { //nolint:gosec // G115: not below 0
			return f, false
		}
		size += k + int(length) //nolint:gosec // no more than there are bytes
		f.content = m[n+k : size]
	default:
		return f, false
	}
	if size > len(m) {
		return f, false
	}
	f.raw = m[:size]
	return f, true
}

// fieldsOf returns the fields of a message, up to where it is none.
func fieldsOf(m []byte) iter.Seq[wireField] {
	return func(yield func(wireField) bool) {
		for len(m) > 0 {
			f, whole := nextField(m)
			if !whole || !yield(f) {
				return
			}
			m = m[len(f.raw):]
		}
	}
}

// filter appends what is kept of a message to b. It is kept itself where it has what it must have, and whole where its bytes are
// those of a message.
func (w *wire) filter(b, m []byte) (result []byte, kept, whole bool) {
	from, kept := len(b), w.must == 0
	for len(m) > 0 {
		f, whole := nextField(m)
		if !whole {
			return b[:from], false, false
		}
		m = m[len(f.raw):]
		if f.number == 1 && w.where != nil && !w.isOneOf(f.content) {
			return b[:from], false, true
		}
		child := w.field(f.number)
		if child == nil {
			continue
		}
		before := len(b)
		if b, whole = child.appendField(b, &f); !whole {
			return b[:from], false, false
		}
		if len(b) > before && w.must>>f.number&1 != 0 && (f.kind != wireVarint || f.value != 0) {
			kept = true
		}
	}
	if !kept {
		b = b[:from]
	}
	return b, kept, true
}

func (w *wire) isOneOf(text []byte) bool {
	return slices.ContainsFunc(w.where, func(t string) bool { return string(text) == t })
}

// appendField appends what is kept of a field, which is w.
func (w *wire) appendField(b []byte, f *wireField) (result []byte, whole bool) {
	if w == all || f.kind != wireBytes {
		return append(b, f.raw...), true
	}
	// The length of what is kept takes as many bytes as that of the whole.
	at := len(b)
	b = append(b, f.raw[:len(f.raw)-len(f.content)]...)
	from := len(b)
	var kept bool
	if w.envelope {
		b, kept, whole = appendEnveloped(b, f.content)
	} else {
		b, kept, whole = w.filter(b, f.content)
	}
	if !kept || !whole {
		return b[:at], whole
	}
	putLength(b[at+f.lengthAt:from], len(b)-from)
	return b, true
}

// putLength fills b with a varint, of however few bits.
func putLength(b []byte, length int) {
	for i := range b {
		b[i] = byte(length)&0x7f | 0x80 //nolint:gosec // its lowest bits
		length >>= 7
	}
	b[len(b)-1] &^= 0x80
}
