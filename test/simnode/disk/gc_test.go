// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestGCTriggered(t *testing.T) {
	for sentence, test := range map[string]struct {
		capacity, available int64
		high                int
		want                bool
	}{
		"16 % available and a high threshold of 85 rest":           {1000, 160, 85, false},
		"one byte less than 16 % triggers at 85":                   {1000, 159, 85, true},
		"15 % available is past the line, not at it":               {1000, 150, 85, true},
		"a capacity that 100 does not divide rounds usage up":      {1001, 160, 85, true},
		"an empty disk rests":                                      {1000, 1000, 85, false},
		"a full disk triggers even at 100":                         {1000, 0, 100, true},
		"less than 1 % available triggers at 100":                  {1000, 9, 100, true},
		"1 % available rests at 100":                               {1000, 10, 100, false},
		"more available than capacity counts as empty":             {1000, 2000, 85, false},
		"an unknown capacity rests":                                {0, 0, 85, false},
		"a capacity of an exabyte does not overflow":               {1 << 60, 1 << 58, 85, false},
		"an exabyte with a little less than 16 % available starts": {1 << 60, (1<<60)/100*16 - 100, 85, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := GCTriggered(test.capacity, test.available, test.high); got != test.want {
				t.Errorf("GCTriggered(%d, %d, %d) = %v, want %v", test.capacity, test.available, test.high, got, test.want)
			}
		})
	}
}

func TestGCTriggeredIsExactlyTheLineInTheDesign(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		capacity := 1 + random.Int64N(10_000)
		available, high := random.Int64N(capacity+1), random.IntN(101)
		if got, want := GCTriggered(capacity, available, high), 100*available < capacity*int64(101-high); got != want {
			t.Fatalf("GCTriggered(%d, %d, %d) = %v, want %v", capacity, available, high, got, want)
		}
	}
}

func TestAmountToFree(t *testing.T) {
	for sentence, test := range map[string]struct {
		capacity, available int64
		low                 int
		want                int64
	}{
		"down to 80 % leaves a fifth available":         {1000, 100, 80, 100},
		"the fifth is rounded down":                     {1004, 100, 80, 100},
		"a disk that is empty enough wants less than 0": {1000, 300, 80, -100},
		"a large disk does not overflow":                {1 << 60, 0, 80, (1 << 60) / 5},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := AmountToFree(test.capacity, test.available, test.low); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestChooseSpace(t *testing.T) {
	ago := func(d time.Duration) time.Time { return t0.Add(-d) }
	never := time.Time{}
	for sentence, test := range map[string]struct {
		images []Candidate
		want   []string
		free   int64
	}{
		"the least recently used goes first and deletion stops once enough is freed": {
			images: []Candidate{
				{ID: "new", LastUsed: ago(time.Minute), FirstDetected: ago(time.Hour), ReportedBytes: 10},
				{ID: "old", LastUsed: ago(time.Hour), FirstDetected: ago(time.Hour), ReportedBytes: 10},
			},
			free: 10, want: []string{"old"},
		},
		"an image that was never used goes before all others": {
			images: []Candidate{
				{ID: "used", LastUsed: ago(time.Hour), FirstDetected: ago(2 * time.Hour), ReportedBytes: 10},
				{ID: "never", LastUsed: never, FirstDetected: ago(time.Hour), ReportedBytes: 10},
			},
			free: 1, want: []string{"never"},
		},
		"equal use is decided by who was seen first": {
			images: []Candidate{
				{ID: "a", FirstDetected: ago(time.Hour), ReportedBytes: 10},
				{ID: "b", FirstDetected: ago(2 * time.Hour), ReportedBytes: 10},
			},
			free: 1, want: []string{"b"},
		},
		"an image younger than the minimum age stays": {
			images: []Candidate{
				{ID: "young", FirstDetected: ago(2*time.Minute - time.Nanosecond), ReportedBytes: 10},
				{ID: "just", FirstDetected: ago(2 * time.Minute), LastUsed: ago(time.Minute), ReportedBytes: 10},
			},
			free: 100, want: []string{"just"},
		},
		"an image in use at that very time stays": {
			images: []Candidate{{ID: "used", LastUsed: t0, FirstDetected: ago(time.Hour), ReportedBytes: 10}},
			free:   100,
		},
		"at least one goes however little is wanted": {
			images: []Candidate{{ID: "a", FirstDetected: ago(time.Hour), ReportedBytes: 10}},
			free:   0, want: []string{"a"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			SortForEviction(test.images)
			got, _ := ChooseSpace(test.images, t0, 2*time.Minute, test.free)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("deleted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChooseOld(t *testing.T) {
	images := []Candidate{{ID: "old", LastUsed: t0.Add(-3 * time.Hour)}, {ID: "new", LastUsed: t0.Add(-time.Hour)}}
	for sentence, test := range map[string]struct {
		maxAge, up time.Duration
		want       []string
	}{
		"off without a maximum age":                        {0, 9 * time.Hour, nil},
		"not before the kubelet has run that long":         {2 * time.Hour, 2 * time.Hour, nil},
		"what nobody used for longer goes, the rest stays": {2 * time.Hour, 2*time.Hour + 1, []string{"old"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, ChooseOld(images, t0, t0.Add(-test.up), test.maxAge)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormatSize(t *testing.T) {
	for size, want := range map[int64]string{1023: "1023 B", 1024: "1.0 KiB", 1536 << 10: "1.5 MiB", 2 << 30: "2.0 GiB", 3 << 50: "3072.0 TiB"} {
		if got := formatSize(size); got != want {
			t.Errorf("formatSize(%d) = %q, want %q", size, got, want)
		}
	}
}
