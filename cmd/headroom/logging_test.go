// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func TestLogLines(t *testing.T) {
	t.Cleanup(klog.ClearLogger)
	probe := func(o *logOptions, own logr.Logger) logr.Logger { return o.forManager(own).WithName("healthz") }
	library := func(*logOptions, logr.Logger) logr.Logger { return klog.Background().WithValues("a", 1) }
	ours := func(_ *logOptions, own logr.Logger) logr.Logger { return own.WithValues("a", 1) }
	cases := map[string]struct {
		verbosity, level int
		from             func(*logOptions, logr.Logger) logr.Logger
		want             bool
	}{
		"a probe before everything is ready":     {0, 0, probe, false},
		"the same with -v 2":                     {2, 0, probe, true},
		"ours":                                   {0, 0, ours, true},
		"ours at V1 without -v":                  {0, 1, ours, false},
		"ours at V2 with -v 2":                   {2, 2, ours, true},
		"a library's":                            {0, 0, library, true},
		"a library's feature gates, with -v 2":   {2, 1, library, false},
		"a library's feature gates, with -v 3":   {3, 1, library, true},
		"a library's requests at V6, with -v 8":  {8, 6, library, true},
		"a library's requests at V10, with -v 8": {8, 10, library, false},
	}
	var out strings.Builder
	quiet := &logOptions{format: "text"}
	probe(quiet, quiet.logger(&out)).Error(nil, "port taken")
	if !strings.Contains(out.String(), "port taken") {
		t.Error("controller-runtime's errors are not logged")
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"text", "json"} {
				var out strings.Builder
				o := &logOptions{format: format, verbosity: tc.verbosity}
				tc.from(o, o.logger(&out)).V(tc.level).Info("hello")
				if got := strings.Contains(out.String(), "hello"); got != tc.want {
					t.Errorf("%s: logged %q, want a line: %t", format, out.String(), tc.want)
				}
			}
		})
	}
}
