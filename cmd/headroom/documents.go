// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/headroom-dev/headroom/policy"
)

// document is one YAML or JSON document and where it starts, for messages.
type document struct {
	file string
	line int // 1-based
	body []byte
}

// manifests are what files held: the pods in them, and one sentence for every
// document that could not be read. A broken document costs only itself.
type manifests struct {
	pods     []podSource
	problems []error
	// reviews are requests with all that the API server said about them.
	reviews []reviewSource
	// custom are to be read once the policy is known, see resolve.
	custom           []customDocument
	defaultNamespace string
}

// customDocument is a customObject and the document it is in.
type customDocument struct {
	customObject

	document document
}

// readManifests reads files, folders (every .yaml, .yml and .json below them) and "-" for stdin.
func readManifests(paths []string, stdin io.Reader, defaultNamespace string) manifests {
	m := manifests{defaultNamespace: defaultNamespace}
	for _, path := range paths {
		for _, d := range m.documentsOf(path, stdin) {
			found, err := contentOf(d.body, defaultNamespace)
			if err != nil {
				m.problems = append(m.problems, d.problem(err))
			}
			m.pods = append(m.pods, found.pods...)
			for _, review := range found.reviews {
				review.document = document{file: d.file, line: d.line}
				m.reviews = append(m.reviews, review)
			}
			for _, c := range found.custom {
				m.custom = append(m.custom, customDocument{customObject: c, document: d})
			}
		}
	}
	return m
}

// resolve reads the objects of which the policy knows that they make pods. The problems that come up are returned.
func (m *manifests) resolve(p *policy.Policy) []error {
	known := len(m.problems)
	for _, c := range m.custom {
		paths := pathsOf(p, c.kind)
		if paths == nil {
			continue
		}
		pods, err := workloadOf(c.kind, c.object, paths, m.defaultNamespace)
		if err != nil {
			m.problems = append(m.problems, c.document.problem(wrongType(err)))
		}
		m.pods = append(m.pods, pods...)
	}
	m.custom = nil
	return m.problems[known:]
}

func (m *manifests) documentsOf(path string, stdin io.Reader) []document {
	if path == "-" {
		return m.split("stdin", stdin)
	}
	files, err := manifestFiles(path)
	if err != nil {
		m.problems = append(m.problems, err)
	}
	var all []document
	for _, file := range files {
		opened, err := os.Open(file)
		if err != nil {
			m.problems = append(m.problems, err)
			continue
		}
		all = append(all, m.split(file, opened)...)
		if err := opened.Close(); err != nil {
			m.problems = append(m.problems, err)
		}
	}
	return all
}

func manifestFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(p)) {
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// split cuts a stream at the lines that are `---`. It is done here, and not by
// a YAML reader, so that one document's syntax error does not end the others,
// and so that every message can name a line.
func (m *manifests) split(file string, r io.Reader) []document {
	var all []document
	current := document{file: file, line: 1}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 1<<30) // a recording is one line
	number := 0
	flush := func(next int) {
		if len(bytes.TrimSpace(current.body)) > 0 {
			all = append(all, current)
		}
		current = document{file: file, line: next}
	}
	for lines.Scan() {
		number++
		if rest, found := separator(lines.Bytes()); found {
			flush(number + 1)
			if len(rest) > 0 {
				current.line, current.body = number, slices.Concat(rest, []byte("\n"))
			}
			continue
		}
		current.body = append(current.body, lines.Bytes()...)
		current.body = append(current.body, '\n')
	}
	flush(number + 1)
	if err := lines.Err(); err != nil {
		m.problems = append(m.problems, fmt.Errorf("%s:%d: %w", file, number+1, err))
	}
	return all
}

// separator reports whether a line ends a document, and returns what the next
// one has on it.
func separator(line []byte) (rest []byte, found bool) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	if bytes.Equal(line, []byte("...")) {
		return nil, true
	}
	rest, found = bytes.CutPrefix(line, []byte("---"))
	if !found || len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' {
		return nil, false
	}
	if rest = bytes.TrimSpace(rest); bytes.HasPrefix(rest, []byte("#")) {
		rest = nil
	}
	return rest, true
}

// yamlLine finds the line a YAML error names; it counts from the document's start.
var yamlLine = regexp.MustCompile(`(?:error converting YAML to JSON: )?yaml: (?:line (\d+): )?`)

// problem says in which file and line something is wrong.
func (d *document) problem(err error) error {
	line := d.line
	if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
		if n, convErr := strconv.Atoi(found[1]); convErr == nil {
			line += n - 1
		}
		err = errors.New("not YAML: " + strings.Replace(err.Error(), found[0], "", 1))
	}
	return fmt.Errorf("%s:%d: %w", d.file, line, err)
}
