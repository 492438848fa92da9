// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestProcessorTimeInStat(t *testing.T) {
	const behind = " S 1 10 10 0 -1 4194560 100 0 0 0 250 31 7 9 20 0 12 0 12345 1000 200"
	for about, c := range map[string]struct {
		text string
		want time.Duration
		err  string
	}{
		"user and system time, not the children's": {"42 (headroom)" + behind, 2810 * time.Millisecond, ""},
		"a name with spaces and parentheses":       {"42 (a) b (c 1 2 3)" + behind, 2810 * time.Millisecond, ""},
		"no name":                                  {"42 headroom" + behind, 0, "no command in parentheses"},
		"cut off":                                  {"42 (headroom) S 1 10", 0, "3 fields behind the command"},
		"no number":                                {strings.Replace("42 (headroom)"+behind, "31", "x", 1), 0, "field 15"},
	} {
		t.Run(about, func(t *testing.T) {
			got, err := parseStat(c.text)
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestProcessorTimeOfThisProcessGrowsAsItWorks(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const work = 50 * time.Millisecond
	sum := 0
	for began := time.Now(); time.Since(began) < work; {
		for i := range 100_000 {
			sum += i
		}
	}
	after, err := CPU(os.Getpid())
	if err != nil || sum == 0 {
		t.Fatal(err)
	}
	// Others may have had the processor meanwhile, so that there is no lower bound but that it is seen at all.
	if used := after - before; used <= 0 || used > time.Minute {
		t.Errorf("%s of processor time for %s of work", used, work)
	}
}

func TestMemoryInStatus(t *testing.T) {
	got, err := parseStatus("Name:\theadroom\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n")
	if want := (Memory{ResidentBytes: 10 << 20, PeakBytes: 20 << 20}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for about, text := range map[string]string{
		"no peak": "VmRSS:\t10240 kB\n", "another unit": "VmRSS:\t10 MB\nVmHWM:\t10 kB\n", "no number": "VmRSS:\tx kB\nVmHWM:\t10 kB\n",
	} {
		t.Run(about, func(t *testing.T) {
			if got, err := parseStatus(text); err == nil {
				t.Errorf("read as %+v", got)
			}
		})
	}
}

func TestNameOfTheProcessor(t *testing.T) {
	if got := processorIn("processor\t: 0\nmodel name\t: Example CPU @ 2.0GHz\nmodel name\t: other\n"); got != "Example CPU @ 2.0GHz" {
		t.Errorf("got %q", got)
	}
}
