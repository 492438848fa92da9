// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// outputFormat is the value of -o.
type outputFormat string

const (
	outputTable outputFormat = "table"
	outputJSON  outputFormat = "json"
	outputYAML  outputFormat = "yaml"
)

var _ pflag.Value = (*outputFormat)(nil)

func (f *outputFormat) String() string { return string(*f) }

// Type implements [pflag.Value].
func (f *outputFormat) Type() string { return "format" }

// Set implements [pflag.Value].
func (f *outputFormat) Set(s string) error {
	switch format := outputFormat(s); format {
	case outputTable, outputJSON, outputYAML:
		*f = format
		return nil
	}
	return fmt.Errorf("must be table, json or yaml, got %q", s)
}

// write prints value as the format says; table draws it for people.
func (f *outputFormat) write(out io.Writer, value any, table func(w io.Writer)) error {
	switch *f {
	case outputJSON:
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	case outputYAML:
		text, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	case outputTable:
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	table(w)
	return w.Flush()
}

func row(w io.Writer, cells ...string) {
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}
