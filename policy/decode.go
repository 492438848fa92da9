// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// decoder collects what is wrong while values are read. Reading never stops at a mistake.
type decoder struct {
	strict   bool
	mistakes []Mistake
	warnings []string
}

// place is a value in the text and the path that leads to it; the path of the whole document is nil.
type place struct {
	path *field.Path
	node *yaml.Node
}

func (at place) child(name string, node *yaml.Node) place {
	return place{path: at.path.Child(name), node: node}
}

func (at place) String() string {
	if at.path == nil {
		return "the policy"
	}
	return at.path.String()
}

func (d *decoder) mistake(at place, err *field.Error) {
	d.mistakes = append(d.mistakes, Mistake{Line: at.node.Line, Err: err})
}

func (d *decoder) invalid(at place, detail string) {
	path := at.path
	if path == nil {
		path = field.NewPath("(policy)")
	}
	d.mistake(at, field.Invalid(path, shorten(written(at.node)), detail))
}

// property is one field of the policy: how it is called, what it means and how it is read. The reference is made from the
// same table, so that it can't be wrong about what is accepted.
type property[T any] struct {
	name string
	// kind, preset and meaning are for the reference, in markdown. preset is the default as YAML, "" where there is none.
	kind, preset, meaning string
	required              bool
	read                  func(d *decoder, at place, into *T)
	// inside lists the fields of an object or of a list's objects.
	inside []row
}

// readObject reads the fields of a mapping, each at most once. Null is the same as absent.
func readObject[T any](d *decoder, at place, into *T, properties []property[T]) {
	if at.node.Kind != yaml.MappingNode {
		d.invalid(at, "must be a mapping with fields of "+names(properties))
		return
	}
	firstLine, given := map[string]int{}, map[string]bool{}
	for i := 0; i+1 < len(at.node.Content); i += 2 {
		key, value := at.node.Content[i], at.node.Content[i+1]
		name := key.Value
		if line, seen := firstLine[name]; seen {
			d.mistake(place{node: key}, field.Forbidden(at.path.Child(shorten(name)), fmt.Sprintf("is set on line %d already", line)))
			continue
		}
		firstLine[name] = key.Line
		known := find(properties, name)
		if known == nil || key.Kind != yaml.ScalarNode {
			d.unknown(at, key, names(properties))
			continue
		}
		if !isNull(value) {
			given[name] = true
			known.read(d, at.child(name, value), into)
		}
	}
	for _, p := range properties {
		if p.required && !given[p.name] {
			d.mistake(at, field.Required(at.path.Child(p.name), strings.ReplaceAll(p.kind, "`", "")))
		}
	}
}

// mistaken reports whether something is wrong with this field.
func (d *decoder) mistaken(path string) bool {
	for _, m := range d.mistakes {
		if m.Err.Field == path {
			return true
		}
	}
	return false
}

func (d *decoder) unknown(at place, key *yaml.Node, known string) {
	path := at.path.Child(shorten(written(key)))
	if d.strict {
		d.mistake(place{node: key}, field.Forbidden(path, "is not a field of "+at.String()+": use one of "+known))
		return
	}
	d.warnings = append(d.warnings, fmt.Sprintf("line %d: %s is not known to this version and is ignored", key.Line, path))
}

// readList reads each item that is not null.
func readList[T any](d *decoder, at place, read func(at place) (T, bool)) []T {
	if at.node.Kind != yaml.SequenceNode {
		d.invalid(at, "must be a list")
		return nil
	}
	var items []T
	for i, node := range at.node.Content {
		itemAt := place{path: at.path.Index(i), node: node}
		if isNull(node) {
			d.invalid(itemAt, "must not be null")
			continue
		}
		if item, ok := read(itemAt); ok {
			items = append(items, item)
		}
	}
	return items
}

func find[T any](properties []property[T], name string) *property[T] {
	for i := range properties {
		if properties[i].name == name {
			return &properties[i]
		}
	}
	return nil
}

func names[T any](properties []property[T]) string {
	all := make([]string, len(properties))
	for i, p := range properties {
		all[i] = p.name
	}
	return strings.Join(all, ", ")
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// written returns what stands in the text, or what kind of thing does.
func written(node *yaml.Node) string {
	switch node.Kind {
	case yaml.ScalarNode:
		return node.Value
	case yaml.MappingNode:
		return "{...}"
	case yaml.SequenceNode:
		return "[...]"
	case yaml.AliasNode:
		return "*" + node.Value
	case yaml.DocumentNode:
		return "---"
	default:
		return ""
	}
}
