// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/policy"
)

// pages returns the documentation for users, by path, without what is made from code.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	read := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = string(text)
	}
	read("../../README.md")
	err := filepath.WalkDir("../../docs", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) == ".md" && filepath.Base(filepath.Dir(path)) != "reference" {
			read(path)
		}
		return err
	})
	if err != nil || len(all) < 6 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	return all
}

var (
	linkPattern   = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	metricPattern = regexp.MustCompile(`headroom_[a-z_]+[a-z]`)
	flagPattern   = regexp.MustCompile("[` ]--([a-z][a-z-]+)")
	fencePattern  = regexp.MustCompile("(?s)```(yaml|json)\n(.*?)```")
)

// TestDocumentationNamesWhatExists looks up each link, metric and flag that a page names.
func TestDocumentationNamesWhatExists(t *testing.T) {
	reference := func(name string) string {
		text, err := os.ReadFile("../../docs/reference/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	metrics, flags := reference("metrics.md"), reference("flags.md")
	others := map[string]bool{"dry-run": true, "image": true, "field-selector": true, "all": true} // kubectl's
	for path, text := range pages(t) {
		for _, found := range linkPattern.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), found[1])); err != nil && !strings.Contains(found[1], "://") {
				t.Errorf("%s: the link to %s leads nowhere", path, found[1])
			}
		}
		for _, name := range metricPattern.FindAllString(text, -1) {
			if !strings.Contains(metrics, "`"+name+"`") && !strings.Contains(metrics, "`"+strings.TrimSuffix(name, "_bucket")+"` | histogram") {
				t.Errorf("%s: there is no metric %s", path, name)
			}
		}
		for _, found := range flagPattern.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(flags, "`--"+found[1]+"`") && !others[found[1]] {
				t.Errorf("%s: there is no flag --%s", path, found[1])
			}
		}
	}
}

// TestDocumentedPolicies loads each example strictly.
func TestDocumentedPolicies(t *testing.T) {
	examples := 0
	for _, found := range fencePattern.FindAllStringSubmatch(pages(t)["../../docs/policy.md"], -1) {
		text := found[2]
		if _, inConfigMap, is := strings.Cut(text, "policy.yaml: |\n"); is {
			text = strings.ReplaceAll("\n"+inConfigMap, "\n    ", "\n")
		} else {
			text = "apiVersion: headroom.dev/v1alpha1\nkind: Policy\n" + text
		}
		examples++
		if _, _, err := policy.Load([]byte(text), true); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	if examples < 5 {
		t.Errorf("only %d examples found", examples)
	}
}

// TestDocumentedJSON decodes each example into what is printed, and back: no field more, none less.
func TestDocumentedJSON(t *testing.T) {
	targets := []func() any{func() any { return new(nodesReport) }, func() any { return new(imagesReport) }, func() any { return new(checkReport) }}
	found := fencePattern.FindAllStringSubmatch(pages(t)["../../docs/cli.md"], -1)
	if len(found) != len(targets) {
		t.Fatalf("%d examples of JSON, want %d", len(found), len(targets))
	}
	for i, example := range found {
		target := targets[i]()
		decoder := json.NewDecoder(strings.NewReader(example[2]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(target); err != nil {
			t.Errorf("%v in\n%s", err, example[2])
			continue
		}
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(example[2])); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(target); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("it is printed as\n%s\nand documented as\n%s (%v)", got, want.String(), err)
		}
	}
}
