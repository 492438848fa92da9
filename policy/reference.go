// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
)

// row is one field in the reference.
type row struct {
	path, kind, preset, meaning string
	required                    bool
}

// rows lists the fields of an object and of what is inside them. Paths are relative to the object.
func rows[T any](properties []property[T]) []row {
	var all []row
	for _, p := range properties {
		all = append(all, row{path: p.name, kind: p.kind, preset: p.preset, meaning: p.meaning, required: p.required})
		separator := "."
		if strings.HasPrefix(p.kind, "list") {
			separator = "[]."
		}
		for _, r := range p.inside {
			r.path = p.name + separator + r.path
			all = append(all, r)
		}
	}
	return all
}

// Reference returns the reference of the policy in markdown, made from the tables that Load reads by.
func Reference() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The policy

The policy is the YAML text under the key %q of the ConfigMap %q in the namespace %q. A field that is absent or null keeps its default; without a ConfigMap,
every field does. Anything that is wrong is reported with its field path and line, all at once; until it is put right, the last good policy stays in force.

Quantities are written as everywhere in Kubernetes (`+"`40Gi`"+`), durations as in Go (`+"`90s`, `5m`"+`). YAML aliases are not supported.

| Field | Type | Default | Meaning |
|---|---|---|---|
`, ConfigMapKey, ConfigMapName, Namespace)
	for _, r := range rows(policyProperties()) {
		preset := ""
		switch {
		case r.required:
			preset = "required"
		case r.preset != "":
			preset = "`" + r.preset + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.path, r.kind, preset, r.meaning)
	}
	b.WriteString("\n## The default policy\n\n```yaml\n" + DefaultYAML + "```\n")
	return b.String()
}
