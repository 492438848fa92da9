// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Load decodes the text of a policy. Fields that are absent or null keep their defaults, an empty document is the default
// policy. On any mistake p is nil; err is an *InvalidError that holds all of them, or another error where the text is not
// YAML.
//
// With strict, which is for admission and the command line, fields that this version doesn't know are mistakes. Without,
// which is for a policy that is already in the cluster, they are returned as warnings, one sentence each: a downgrade of
// Headroom must not lose the policy.
//
// Values are taken by their text, not by YAML's idea of their type: "mode: Off" is the mode Off, not false.
func Load(data []byte, strict bool) (p *Policy, warnings []string, err error) {
	root, err := parse(data)
	if err != nil {
		return nil, nil, err
	}
	p = Default()
	p.Version = versionOf(data)
	if root == nil {
		return p, nil, nil
	}
	d := decoder{strict: strict}
	readObject(&d, place{node: root}, p, policyProperties())
	d.thresholdsInOrder(root, p)
	if len(d.mistakes) > 0 {
		slices.SortStableFunc(d.mistakes, func(a, b Mistake) int { return cmp.Compare(a.Line, b.Line) })
		return nil, d.warnings, &InvalidError{Mistakes: d.mistakes}
	}
	return p, d.warnings, nil
}

// parse returns the only document's content, nil for an empty one.
func parse(data []byte) (*yaml.Node, error) {
	if line := lineOfInvalidText(data); line > 0 {
		return nil, fmt.Errorf("not YAML: line %d: holds a byte that is not text in UTF-8", line)
	}
	documents := yaml.NewDecoder(bytes.NewReader(data))
	var root *yaml.Node
	for {
		var document yaml.Node
		err := documents.Decode(&document)
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, syntaxError(err)
		}
		if len(document.Content) == 0 || isNull(document.Content[0]) {
			continue
		}
		if root != nil {
			return nil, fmt.Errorf("line %d: a second YAML document starts here: a policy is one document", document.Content[0].Line)
		}
		root = document.Content[0]
	}
}

// syntaxError is what the decoder says, with a line also where it leaves out the first one.
func syntaxError(err error) error {
	said := strings.TrimPrefix(err.Error(), "yaml: ")
	if !strings.HasPrefix(said, "line ") && !strings.HasPrefix(said, "unknown anchor") {
		said = "line 1: " + said
	}
	return fmt.Errorf("not YAML: %s", said)
}

// lineOfInvalidText returns the line of the first byte that YAML can't hold, 0 for none. The decoder would not name it.
func lineOfInvalidText(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		control := r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
		if control || r == utf8.RuneError && size == 1 {
			return 1 + bytes.Count(data[:i], []byte("\n"))
		}
		i += size
	}
	return 0
}

// Mistake is one thing that is wrong with a policy.
type Mistake struct {
	// Line is where in the text, from 1.
	Line int
	// Err says in which field, and what.
	Err *field.Error
}

// InvalidError holds everything that is wrong with a policy, in the order of its text.
type InvalidError struct {
	Mistakes []Mistake
}

// Error returns one line, with at most 20 mistakes in it.
func (e *InvalidError) Error() string {
	const limit = 20
	var parts []string
	for i, m := range e.Mistakes {
		if i == limit {
			parts = append(parts, fmt.Sprintf("and %d more", len(e.Mistakes)-limit))
			break
		}
		parts = append(parts, fmt.Sprintf("line %d: %v", m.Line, m.Err))
	}
	return strings.Join(parts, "; ")
}

// List returns the mistakes as Kubernetes validation has them.
func (e *InvalidError) List() field.ErrorList {
	list := make(field.ErrorList, len(e.Mistakes))
	for i, m := range e.Mistakes {
		list[i] = m.Err
	}
	return list
}
