// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// reader reads values by their shapes. Its methods report false for what the typed decoder would not take, and for what they
// are not sure of.
type reader struct {
	scanner

	// within is the shape of what is in a raw extension that is kept, nil where that is not read.
	within *shape
	// read is what was read so.
	read []inside
}

// inside is what was read of a raw extension.
type inside struct {
	of    *runtime.RawExtension
	value reflect.Value
}

// all reads a document of nothing but one value.
func (r *reader) all(s *shape, into reflect.Value) bool {
	return r.value(s, into) && r.next() == 0 && r.at == len(r.data)
}

// value reads a value. Where the shape is kept, into is what to read it into, and zero.
func (r *reader) value(s *shape, into reflect.Value) bool {
	if r.next() == 'n' {
		return s.form != doubtful && r.word("null") // It leaves everything as it is.
	}
	if s.pointer && s.keep {
		into.Set(reflect.New(s.typ))
		into = into.Elem()
	}
	return r.present(s, into)
}

// present reads a value that is not null. into is what a pointer leads to.
func (r *reader) present(s *shape, into reflect.Value) bool {
	switch s.form {
	case object:
		return r.object(s, into)
	case list:
		return r.list(s, into)
	case table:
		return r.table(s, into)
	case text:
		return r.string(s, into)
	case truth:
		return r.bool(s, into)
	case integer:
		return r.integer(s, into)
	case anything:
		return r.anything(s, into)
	case quantity:
		return r.quantity(s, into)
	case moment:
		return r.moment()
	case intOrString:
		return r.intOrString()
	default:
		return false
	}
}

func (r *reader) object(s *shape, into reflect.Value) bool {
	if !r.take('{') {
		return false
	}
	if r.take('}') {
		return true
	}
	var seen uint64
	for {
		name, simple, ok := r.text()
		if !ok || !simple || !r.take(':') {
			return false
		}
		switch f := s.fields.find(name); {
		case f == nil:
			ok = r.skip()
		case f.bit == 0:
			ok = r.value(f.shape, reflect.Value{})
		case seen&f.bit != 0:
			return false // The second would be read into what the first has left.
		default:
			seen |= f.bit
			ok = r.value(f.shape, into.FieldByIndex(f.index))
		}
		if !ok {
			return false
		}
		if another, ok := r.more('}'); !another {
			return ok
		}
	}
}

func (r *reader) list(s *shape, into reflect.Value) bool {
	if !r.take('[') {
		return false
	}
	if r.take(']') {
		if s.keep {
			into.Set(reflect.MakeSlice(s.typ, 0, 0))
		}
		return true
	}
	for i := 0; ; i++ {
		var element reflect.Value
		if s.keep {
			if i >= into.Cap() {
				into.Grow(1)
			}
			into.SetLen(i + 1)
			element = into.Index(i)
		}
		if !r.value(s.each, element) {
			return false
		}
		if another, ok := r.more(']'); !another {
			return ok
		}
	}
}

// table reads a map. Of a key that comes twice, the last value counts. Where only one is kept, the map is nil without it.
func (r *reader) table(s *shape, into reflect.Value) bool {
	if !r.take('{') {
		return false
	}
	if s.keep && s.only == "" {
		into.Set(reflect.MakeMap(s.typ))
	}
	if r.take('}') {
		return true
	}
	for {
		name, simple, ok := r.text()
		if !ok || s.keep && !simple || !r.take(':') {
			return false
		}
		if s.keep && (s.only == "" || s.only == string(name)) {
			ok = r.entry(s, name, into)
		} else {
			ok = r.value(s.rest, reflect.Value{})
		}
		if !ok {
			return false
		}
		if another, ok := r.more('}'); !another {
			return ok
		}
	}
}

// entry reads a value of a map into it. The types of maps that are wanted are few, and reflection is slow about maps.
func (r *reader) entry(s *shape, name []byte, into reflect.Value) bool {
	if into.IsNil() {
		into.Set(reflect.MakeMap(s.typ))
	}
	switch m := into.Addr().Interface().(type) {
	case *map[string]string:
		value, simple, ok := r.text()
		if ok && simple {
			(*m)[string(name)] = string(value)
		}
		return ok && simple
	case *corev1.ResourceList:
		var q resource.Quantity
		if !r.readQuantity(&q) {
			return false
		}
		(*m)[corev1.ResourceName(own(name))] = q
		return true
	default:
		return false
	}
}

func (r *reader) string(s *shape, into reflect.Value) bool {
	value, simple, ok := r.text()
	if ok && s.keep {
		if !simple {
			return false
		}
		into.SetString(own(value))
	}
	return ok
}

// own returns a text that does not share memory with what was read. Those that nearly every pod has cost none.
func own(text []byte) string {
	switch string(text) {
	case "v1":
		return "v1"
	case "apps/v1":
		return "apps/v1"
	case "admission.k8s.io/v1":
		return "admission.k8s.io/v1"
	case "Pod":
		return "Pod"
	case "pods":
		return "pods"
	case "CREATE":
		return "CREATE"
	case "UPDATE":
		return "UPDATE"
	case "ReplicaSet":
		return "ReplicaSet"
	case "IfNotPresent":
		return "IfNotPresent"
	case "Always":
		return "Always"
	case "Exists":
		return "Exists"
	case "NoExecute":
		return "NoExecute"
	case "node.kubernetes.io/not-ready":
		return "node.kubernetes.io/not-ready"
	case "node.kubernetes.io/unreachable":
		return "node.kubernetes.io/unreachable"
	case "cpu":
		return "cpu"
	case "memory":
		return "memory"
	default:
		return string(text)
	}
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

// anything keeps the text of a value, not a copy of it, and what it is where that is read.
func (r *reader) anything(s *shape, into reflect.Value) bool {
	if !s.keep {
		return r.skip()
	}
	raw, ok := into.Addr().Interface().(*runtime.RawExtension)
	if !ok {
		return false
	}
	start := r.at
	if !r.readWithin(raw) {
		r.at = start
		if !r.skip() {
			return false
		}
	}
	raw.Raw = r.data[start:r.at:r.at]
	return true
}

// readWithin reads what is in a raw extension.
func (r *reader) readWithin(raw *runtime.RawExtension) bool {
	if r.within == nil {
		return false
	}
	value := reflect.New(r.within.typ)
	if !r.value(r.within, value.Elem()) {
		return false
	}
	r.read = append(r.read, inside{raw, value})
	return true
}

func (r *reader) quantity(s *shape, into reflect.Value) bool {
	if !s.keep {
		return r.anyQuantity()
	}
	q, ok := into.Addr().Interface().(*resource.Quantity)
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
