// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocumentedDefaultsAreTheDefaults loads each field of the reference with the default that stands there.
func TestDocumentedDefaultsAreTheDefaults(t *testing.T) {
	for _, r := range rows(policyProperties()) {
		if r.preset == "" || strings.Contains(r.path, "[]") {
			continue
		}
		text := r.path + ": " + r.preset
		if object, name, nested := strings.Cut(r.path, "."); nested {
			text = object + ": {" + name + ": " + r.preset + "}"
		}
		got, _, err := Load([]byte(head+text+"\n"), true)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(Default(), got, fromAnyText); diff != "" {
			t.Errorf("%s (-default +loaded):\n%s", text, diff)
		}
	}
}

func TestEveryFieldIsInTheDefaultText(t *testing.T) {
	for _, r := range rows(policyProperties()) {
		name := r.path[strings.LastIndex(r.path, ".")+1:]
		if !regexp.MustCompile(`(?m)(^#?[ -]*|[{ ])` + name + `:`).MatchString(DefaultYAML) {
			t.Errorf("%s is neither set nor shown in default.yaml", r.path)
		}
	}
}

func TestReference(t *testing.T) {
	reference := Reference()
	if !strings.Contains(reference, DefaultYAML) {
		t.Error("the default policy is not in it")
	}
	var fields []string
	for line := range strings.Lines(reference) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 || strings.TrimSpace(cells[2]) == "" || strings.TrimSpace(cells[4]) == "" {
			t.Errorf("not a row of four cells: %s", line)
			continue
		}
		fields = append(fields, strings.Trim(cells[1], " `"))
	}
	want := []string{
		"apiVersion", "kind", "mode", "namespaceOverrides", "warnAt", "denyAt", "safetyMargin", "maxStaleness", "steer",
		"exemptions", "exemptions.namespaces", "exemptions.priorityClasses", "startupTaints",
		"nodePools", "nodePools[].name", "nodePools[].selector", "nodePools[].elastic", "nodePools[].imageFilesystem",
		"nodePools[].diskFactor", "nodePools[].diskFactor.low", "nodePools[].diskFactor.likely", "nodePools[].diskFactor.high",
		"registries", "images", "images[].match", "images[].size",
		"unknownImage", "unknownImage.likely", "unknownImage.high",
		"exceptions", "exceptions[].name", "exceptions[].namespaces", "exceptions[].labels", "exceptions[].images",
		"exceptions[].allowance", "exceptions[].reason", "exceptions[].until",
		"workloads", "workloads[].apiVersion", "workloads[].kind", "workloads[].resource", "workloads[].template", "workloads[].replicas",
		"messages", "messages.nodeNames", "messages.numbers",
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}
