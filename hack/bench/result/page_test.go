// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files, and the page")

// golden compares with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-file +made now; make update rewrites it):\n%s", path, diff)
	}
}

func read(t *testing.T, path string) *Results {
	t.Helper()
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPage(t *testing.T) {
	for name, r := range map[string]*Results{"page": read(t, "testdata/results.json"), "nothing-measured": {}} {
		t.Run(name, func(t *testing.T) {
			page, err := Render(r)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", name+".md"), page)
		})
	}
}

func TestTable(t *testing.T) {
	golden(t, "testdata/table.txt", Table(read(t, "testdata/results.json")))
}

// No figure is written by hand: the page is what its appendix makes of it.
func TestPageInTheDocumentationIsMadeFromItsAppendix(t *testing.T) {
	const docs = "../../../docs/"
	r := read(t, docs+"performance.json")
	page, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, docs+"performance.md", page)
}

func TestResultsAreReadAsTheyWereWritten(t *testing.T) {
	want := read(t, "testdata/results.json")
	path := filepath.Join(t.TempDir(), "results.json")
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestNoResultsYet(t *testing.T) {
	if diff := cmp.Diff(&Results{}, read(t, filepath.Join(t.TempDir(), "none.json"))); diff != "" {
		t.Error(diff)
	}
	path := filepath.Join(t.TempDir(), "damaged.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("half a file is read")
	}
}
