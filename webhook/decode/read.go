// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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
		(*m)[corev1.ResourceName(name)] = q
		return true
	default:
		return false
	}
}
