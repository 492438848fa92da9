// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAllIsInOrderOfSeverity(t *testing.T) {
	want := map[Verdict]int{Fits: 0, TriggersGC: 1, PressuresDisk: 2, EvictsPods: 3, FillsDisk: 4, NeverFits: 5, Unknown: -1}
	got := map[Verdict]int{}
	for i, v := range All() {
		got[v] = v.Severity()
		if v != Unknown && v.Severity() != i {
			t.Errorf("%s is at position %d with severity %d", v, i, v.Severity())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("severities (-want +got):\n%s", diff)
	}
	if last := All()[len(All())-1]; last != Unknown {
		t.Errorf("last is %s, want Unknown", last)
	}
}

func TestParse(t *testing.T) {
	for _, v := range All() {
		if got, err := Parse(string(v)); err != nil || got != v {
			t.Errorf("Parse(%q) = %q, %v", v, got, err)
		}
	}
	tests := map[string]struct{ in, want string }{
		"other case": {
			"fits",
			`"fits" is not a verdict: use one of Fits, TriggersGC, PressuresDisk, EvictsPods, FillsDisk, NeverFits, Unknown`,
		},
		"nothing": {
			"",
			`"" is not a verdict: use one of Fits, TriggersGC, PressuresDisk, EvictsPods, FillsDisk, NeverFits, Unknown`,
		},
		"a long text is shortened": {
			strings.Repeat("x", 1000),
			`"` + strings.Repeat("x", 40) + `..." is not a verdict: use one of Fits, TriggersGC, PressuresDisk, EvictsPods, FillsDisk, NeverFits, Unknown`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if err == nil {
				t.Fatalf("got %q, want an error", got)
			}
			if err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAtLeast(t *testing.T) {
	for i, v := range All() {
		for j, o := range All() {
			want := v != Unknown && o != Unknown && i >= j
			if got := v.AtLeast(o); got != want {
				t.Errorf("%s.AtLeast(%s) = %t, want %t", v, o, got, want)
			}
		}
	}
	if Verdict("").AtLeast("") || NeverFits.AtLeast("") || Verdict("").AtLeast(Fits) {
		t.Error("the zero verdict reaches a threshold")
	}
}
