// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// form is what JSON a Go type takes.
type form int

const (
	doubtful    form = iota // what only the typed decoder knows
	object                  // struct
	list                    // slice
	table                   // map whose keys are strings
	text                    // string
	truth                   // bool
	integer                 // signed integers
	anything                // takes every value
	quantity                // resource.Quantity
	moment                  // metav1.Time
	intOrString             // intstr.IntOrString
)

// shape is how to read a value of one type: all of it, parts of it, or none of it. It never changes.
type shape struct {
	typ  reflect.Type
	form form
	// pointer is set for a pointer to what form says, of the type typ.
	pointer bool
	// keep is set where something of the value is wanted, or all.
	keep bool
	// fields are an object's by their names in JSON.
	fields fields
	// each is of the elements of a list, or the values of a table.
	each *shape
	// only is the one key of a table that is kept, "" where all are; rest is of the values of the others.
	only string
	rest *shape
	// bits are an integer's.
	bits int
}

type field struct {
	name  string
	shape *shape
	// index leads to the field, through structs that are embedded.
	index []int
	// bit of an object's fields that are kept: each may come once.
	bit uint64
}

// wanted are the fields to read, by their names in JSON. A field with none below it is read as a whole. Of a map, a name in
// brackets is the one key that is wanted.
type wanted map[string]wanted

// paths makes a wanted of texts such as "spec.nodeName" and "metadata.annotations.[example.com/x]".
func paths(all ...string) wanted {
	root := wanted{}
	for _, path := range all {
		at := root
		path, key, keyed := strings.Cut(path, ".[")
		names := strings.Split(path, ".")
		if keyed {
			names = append(names, "["+key)
		}
		for _, name := range names {
			if at[name] == nil {
				at[name] = wanted{}
			}
			at = at[name]
		}
	}
	return root
}

// compiler makes the shapes of types.
type compiler struct {
	// unwanted are the shapes of types of which nothing is wanted, so that there is one of each.
	unwanted map[reflect.Type]*shape
}

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	// custom are the types that read themselves of which is known what they take.
	custom = map[reflect.Type]form{
		reflect.TypeFor[metav1.FieldsV1]():      anything,
		reflect.TypeFor[runtime.RawExtension](): anything,
		reflect.TypeFor[resource.Quantity]():    quantity,
		reflect.TypeFor[metav1.Time]():          moment,
		reflect.TypeFor[intstr.IntOrString]():   intOrString,
	}
)

// shapeOf returns how to read w of a type, where keep is set and w is empty all of it.
func (c *compiler) shapeOf(t reflect.Type, w wanted, keep bool) *shape {
	if !keep {
		if known := c.unwanted[t]; known != nil {
			return known
		}
	}
	s := &shape{typ: t, keep: keep}
	if !keep {
		c.unwanted[t] = s
	}
	if t.Kind() == reflect.Pointer {
		t, s.typ, s.pointer = t.Elem(), t.Elem(), true
	}
	known, is := custom[t]
	switch p := reflect.PointerTo(t); {
	case is && (!keep || known != moment && known != intOrString): // those nobody wants yet
		s.form = known
	case p.Implements(unmarshaler), p.Implements(textUnmarshaler):
	default:
		c.shapeByKind(s, t, w)
	}
	return s
}

// shapeByKind completes the shape of a type that does not read itself.
func (c *compiler) shapeByKind(s *shape, t reflect.Type, w wanted) {
	keep := s.keep
	switch t.Kind() {
	case reflect.Struct:
		s.form, s.fields = object, fields{}
		c.addFields(s, t, nil, w)
		s.fields.seal()
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 { // which would be base64
			s.form, s.each = list, c.shapeOf(t.Elem(), w, keep)
		}
	case reflect.Map:
		if p := reflect.PointerTo(t.Key()); t.Key().Kind() == reflect.String && !p.Implements(textUnmarshaler) {
			s.form, s.each, s.only, s.rest = table, c.shapeOf(t.Elem(), nil, keep), onlyKey(w), c.shapeOf(t.Elem(), nil, false)
		}
	case reflect.String:
		s.form = text
	case reflect.Bool:
		s.form = truth
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.form, s.bits = integer, t.Bits()
	default:
	}
}

// addFields adds the fields of a struct, and of those that are embedded in it. Of two with one name, neither is known here.
func (c *compiler) addFields(s *shape, t reflect.Type, index []int, w wanted) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := append(slices.Clone(index), f.Index...)
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			c.addFields(s, f.Type, at, w)
			continue
		case name == "-" && options == "", !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		below, named := w[name]
		read := &field{name: name, index: at, shape: c.shapeOf(f.Type, below, s.keep && (named || len(w) == 0))}
		if s.fields.all[name] != nil || f.Anonymous && f.Tag.Get("json") == "" || slices.Contains(strings.Split(options, ","), "string") {
			read.shape = &shape{typ: f.Type}
		}
		s.fields.add(read)
		if read.shape.keep {
			read.bit = 1 << len(s.fields.all)
		}
	}
}

// onlyKey is the key in brackets.
func onlyKey(w wanted) string {
	for name := range w {
		return strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	}
	return ""
}

// mustShape is the shape of T of which w is wanted. It panics if T has no such fields, or too many.
func mustShape[T any](w wanted) *shape {
	c := &compiler{unwanted: map[reflect.Type]*shape{}}
	t := reflect.TypeFor[T]()
	s := c.shapeOf(t, w, true)
	s.check(t.Name(), w)
	return s
}

// check panics where what is wanted could not be read.
func (s *shape) check(path string, w wanted) {
	if s.form == doubtful {
		panic(fmt.Sprintf("%s: only the typed decoder knows how to read a %v", path, s.typ))
	}
	if s.form == object && len(s.fields.all) > 62 {
		panic(path + ": too many fields")
	}
	switch s.form {
	case list:
		s.each.check(path+"[]", w)
		return
	case table:
		s.each.check(path+"{}", nil)
		return
	default:
	}
	for name, below := range w {
		f := s.fields.all[name]
		if f == nil {
			panic(path + " has no field " + name)
		}
		f.shape.check(path+"."+name, below)
	}
}
