// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	sampleTime = "2026-03-01T12:00:00Z"
	nodeFS     = `"fs":{"time":"2026-03-01T12:00:00Z","availableBytes":600,"capacityBytes":1000,"usedBytes":1,"inodesFree":9,"inodes":10}`
	imageFS    = `"runtime":{"imageFs":{"time":"2020-01-01T00:00:00Z","availableBytes":600,"capacityBytes":1000,"usedBytes":7,"inodesFree":9,"inodes":10}}`
	wholeNode  = `{"node":{"nodeName":"n1",` + nodeFS + `,` + imageFS + `},"pods":[{"podRef":{"name":"p"}}]}`
)

func TestParseSummary(t *testing.T) {
	sampled := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	whole := Stats{
		CapacityBytes: 1000, AvailableBytes: 600, Inodes: 10, InodesFree: 9, SampledAt: sampled,
		Age: 12 * time.Second, SharedWithNodeFS: true, NodeFSCapacityBytes: 1000, NodeFSAvailableBytes: 600,
	}
	with := func(change func(*Stats)) Stats { s := whole; change(&s); return s }
	tests := map[string]struct {
		body string
		date time.Time
		want Stats
	}{
		"one disk": {wholeNode, sampled.Add(12 * time.Second), whole},
		"another disk for images": {
			strings.Replace(wholeNode, `"fs":{"time":"2026-03-01T12:00:00Z","availableBytes":600`, `"fs":{"time":"2026-03-01T12:00:00Z","availableBytes":599`, 1),
			sampled.Add(12 * time.Second), with(func(s *Stats) { s.SharedWithNodeFS, s.NodeFSAvailableBytes = false, 599 }),
		},
		"the same bytes and other inodes": {
			strings.Replace(wholeNode, `"inodesFree":9`, `"inodesFree":8`, 1),
			sampled.Add(12 * time.Second), with(func(s *Stats) { s.SharedWithNodeFS = false }),
		},
		"no inodes told": {
			strings.ReplaceAll(wholeNode, `,"inodesFree":9,"inodes":10`, ``),
			sampled.Add(12 * time.Second), with(func(s *Stats) { s.Inodes, s.InodesFree = 0, 0 }),
		},
		"the free inodes not told": {
			strings.ReplaceAll(wholeNode, `"inodesFree":9,`, ``),
			sampled.Add(12 * time.Second), with(func(s *Stats) { s.Inodes, s.InodesFree = 0, 0 }),
		},
		"more free inodes than there are": {
			strings.ReplaceAll(wholeNode, `"inodesFree":9`, `"inodesFree":11`),
			sampled.Add(12 * time.Second), with(func(s *Stats) { s.Inodes, s.InodesFree = 0, 0 }),
		},
		"no inode left": {
			strings.ReplaceAll(wholeNode, `"inodesFree":9`, `"inodesFree":0`),
			sampled.Add(12 * time.Second), with(func(s *Stats) { s.InodesFree = 0 }),
		},
		"a sample from the future": {wholeNode, sampled.Add(-time.Hour), with(func(s *Stats) { s.Age = 0 })},
		"no date":                  {wholeNode, time.Time{}, with(func(s *Stats) { s.Age = 0 })},
		"more than an int64": {
			strings.ReplaceAll(wholeNode, `"capacityBytes":1000`, `"capacityBytes":18446744073709551615`),
			sampled.Add(12 * time.Second), with(func(s *Stats) { s.CapacityBytes, s.NodeFSCapacityBytes = 1<<63-1, 1<<63-1 }),
		},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			got, err := ParseSummary([]byte(test.body), test.date)
			if err != nil {
				t.Fatal(err)
			}
			got.SampledAt = got.SampledAt.UTC()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseSummaryRefuses(t *testing.T) {
	tests := map[string]struct {
		body string
		want Reason
	}{
		"nothing":           {``, ReasonMalformed},
		"a web page":        {`<html>`, ReasonMalformed},
		"an empty object":   {`{}`, ReasonNoImageFS},
		"no image fs":       {`{"node":{` + nodeFS + `,"runtime":{}}}`, ReasonNoImageFS},
		"no capacity":       {strings.ReplaceAll(wholeNode, `"capacityBytes":1000,`, ``), ReasonNoImageFS},
		"zero capacity":     {strings.ReplaceAll(wholeNode, `"capacityBytes":1000`, `"capacityBytes":0`), ReasonNoImageFS},
		"no available":      {strings.ReplaceAll(wholeNode, `"availableBytes":600,`, ``), ReasonNoImageFS},
		"more than all":     {strings.ReplaceAll(wholeNode, `"availableBytes":600`, `"availableBytes":1001`), ReasonMalformed},
		"no node fs":        {`{"node":{` + imageFS + `}}`, ReasonMalformed},
		"no sample time":    {strings.Replace(wholeNode, `"`+sampleTime+`"`, `null`, 1), ReasonMalformed},
		"a negative number": {strings.ReplaceAll(wholeNode, `600`, `-600`), ReasonMalformed},
	}
	for what, test := range tests {
		if s, err := ParseSummary([]byte(test.body), time.Time{}); ReasonOf(err) != test.want {
			t.Errorf("%s: %+v, %v; want reason %s", what, s, err, test.want)
		}
	}
}

func FuzzParseSummary(f *testing.F) {
	f.Add([]byte(wholeNode), int64(1772366412))
	f.Add([]byte(`{"node":{"runtime":{"imageFs":{"capacityBytes":18446744073709551615}}}}`), int64(0))
	f.Add([]byte(strings.ReplaceAll(wholeNode, `"inodes":10`, `"inodes":18446744073709551615`)), int64(1772366412))
	f.Add([]byte(strings.ReplaceAll(wholeNode, `"inodesFree":9`, `"inodesFree":null`)), int64(1772366412))
	f.Fuzz(func(t *testing.T, body []byte, date int64) {
		s, err := ParseSummary(body, time.Unix(date, 0))
		if err != nil {
			if ReasonOf(err) == ReasonOther || s != (Stats{}) {
				t.Fatalf("%+v, %v", s, err)
			}
			return
		}
		if s.CapacityBytes <= 0 || s.AvailableBytes < 0 || s.AvailableBytes > s.CapacityBytes || s.Age < 0 || s.SampledAt.IsZero() {
			t.Fatalf("%+v", s)
		}
		if s.InodesFree < 0 || s.InodesFree > s.Inodes || s.NodeFSCapacityBytes < 0 || s.NodeFSAvailableBytes < 0 {
			t.Fatalf("%+v", s)
		}
	})
}
