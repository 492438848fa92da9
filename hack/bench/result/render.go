// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed page.md.tmpl
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// Render is docs/performance.md.
func Render(r *Results) (string, error) {
	checks := Judge(r)
	var guards []Judged
	for _, c := range checks {
		if c.Guard != nil {
			guards = append(guards, c)
		}
	}
	var text strings.Builder
	err := page.Execute(&text, map[string]any{
		"Checks": pointers(checks), "Guards": pointers(guards),
		"Requests": r.requestRows(), "Decisions": r.decisionRows(), "Engines": r.engineRows(), "APIServer": r.creationRows(), "Service": r.serviceRows(),
		"Polling": r.pollingRows(),
	})
	if err != nil {
		return "", fmt.Errorf("write the page: %w", err)
	}
	return text.String(), nil
}

// pointers lets a template call methods.
func pointers(all []Judged) []*Judged {
	var to []*Judged
	for i := range all {
		to = append(to, &all[i])
	}
	return to
}

// Table is the table of targets for a terminal.
func Table(r *Results) string {
	judged := Judge(r)
	rows := [][]string{{"", "WHAT", "TARGET", "MEASURED", ""}}
	for i := range judged {
		j := &judged[i]
		rows = append(rows, []string{j.Target, j.What, j.Bound(), j.Measured(), string(j.State)})
	}
	return aligned(rows)
}

// aligned pads columns with two spaces.
func aligned(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-len([]rune(cell))+2))
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return text.String()
}

// String says when and where.
func (r *Run) String() string {
	m := r.Machine
	return fmt.Sprintf("Measured %s with %s on %d cores of %s, %s MiB, Linux %s, %s; load average %s before and %s after.",
		r.At.UTC().Format("2006-01-02 15:04 UTC"), r.Version, m.Cores, m.Processor, grouped(float64(m.MemoryBytes)/mebibyte), m.Kernel, m.Go,
		number(r.LoadBefore), number(r.LoadAfter))
}
