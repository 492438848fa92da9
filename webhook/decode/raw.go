// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
)

// anything keeps the text of a value, not a copy of it, and what it is where that is read.
func (r *reader) anything(s *shape, into reflect.Value) bool {
	if !s.keep {
		return r.skip()
	}
	raw, ok := reflect.TypeAssert[*runtime.RawExtension](into.Addr())
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
