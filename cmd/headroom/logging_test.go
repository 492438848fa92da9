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
	probe := func(own logr.Logger) logr.Logger {
		return own.WithName("controller-runtime").WithName("healthz").WithValues("a", 1)
	}
	library := func(logr.Logger) logr.Logger { return klog.Background().WithValues("a", 1) }
	ours := func(own logr.Logger) logr.Logger { return own.WithValues("a", 1) }
	cases := map[string]struct {
		verbosity, level int
		from             func(logr.Logger) logr.Logger
		want             bool
	}{
		"a probe before everything is ready":     {0, 0, probe, false},
		"why it fails, at -v 1":                  {1, 1, probe, true},
		"ours":                                   {0, 0, ours, true},
		"ours at V1 without -v":                  {0, 1, ours, false},
		"ours at V2 with -v 2":                   {2, 2, ours, true},
		"a library's":                            {0, 0, library, true},
		"a library's feature gates, with -v 2":   {2, 1, library, false},
		"a library's feature gates, with -v 3":   {3, 1, library, true},
		"a library's requests at V6, with -v 8":  {8, 6, library, true},
		"a library's requests at V10, with -v 8": {8, 10, library, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"text", "json"} {
				var out strings.Builder
				o := logOptions{format: format, verbosity: tc.verbosity}
				tc.from(o.logger(&out)).V(tc.level).Info("hello")
				if got := strings.Contains(out.String(), "hello"); got != tc.want {
					t.Errorf("%s: logged %q, want a line: %t", format, out.String(), tc.want)
				}
			}
		})
	}
}
