// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseConfigz(t *testing.T) {
	defaults := func(change func(*Config)) Config {
		c := Config{ImageGCHighPercent: 85, ImageGCLowPercent: 80, NodeStatusMaxImages: 50}
		change(&c)
		return c
	}
	image15 := Threshold{Signal: SignalImageFSAvailable, Percent: 15}
	node10 := Threshold{Signal: SignalNodeFSAvailable, Percent: 10}
	imageInodes5 := Threshold{Signal: SignalImageFSInodesFree, Percent: 5}
	nodeInodes5 := Threshold{Signal: SignalNodeFSInodesFree, Percent: 5}
	tests := map[string]struct {
		fields string
		want   Config
	}{
		"a kubelet's defaults": {
			`"imageGCHighThresholdPercent":85,"imageGCLowThresholdPercent":80,"imageMinimumGCAge":"2m0s","nodeStatusMaxImages":50,
			"serializeImagePulls":true,"evictionPressureTransitionPeriod":"5m0s","containerRuntimeEndpoint":"unix:///run/c.sock",
			"evictionHard":{"imagefs.available":"15%","imagefs.inodesFree":"5%","memory.available":"100Mi","nodefs.available":"10%","nodefs.inodesFree":"5%"}`,
			defaults(func(c *Config) {
				c.ImageMinimumGCAge = 2 * time.Minute
				c.Thresholds = []Threshold{image15, node10, imageInodes5, nodeInodes5}
			}),
		},
		"images are kept for a day": {`"imageMinimumGCAge":"24h"`, defaults(func(c *Config) { c.ImageMinimumGCAge = 24 * time.Hour })},
		"nothing told":              {``, defaults(func(*Config) {})},
		"one signal set leaves the others without a threshold": {
			`"evictionHard":{"nodefs.available":"1Gi"}`,
			defaults(func(c *Config) { c.Thresholds = []Threshold{{Signal: SignalNodeFSAvailable, Bytes: 1 << 30}} }),
		},
		"unless defaults are merged": {
			`"mergeDefaultEvictionSettings":true,"evictionHard":{"nodefs.available":"12.3%"}`,
			defaults(func(c *Config) {
				c.Thresholds = []Threshold{image15, {Signal: SignalNodeFSAvailable, Percent: 12.3}, imageInodes5, nodeInodes5}
			}),
		},
		"merging adds nothing to what names every signal": {
			`"mergeDefaultEvictionSettings":true,"evictionHard":{"imagefs.available":"0%","nodefs.available":"0%","imagefs.inodesFree":"0%","nodefs.inodesFree":"0%"}`,
			defaults(func(*Config) {}),
		},
		"thresholds for memory only leave the disk without one": {`"evictionHard":{"memory.available":"100Mi"}`, defaults(func(*Config) {})},
		"inodes, as a share and as a number": {
			`"evictionHard":{"imagefs.inodesFree":"7.5%","nodefs.inodesFree":"20k"},"evictionMinimumReclaim":{"imagefs.inodesFree":"1k","nodefs.inodesFree":"5%"}`,
			defaults(func(c *Config) {
				c.Thresholds = []Threshold{
					{Signal: SignalImageFSInodesFree, Percent: 7.5, MinReclaimInodes: 1000},
					{Signal: SignalNodeFSInodesFree, Inodes: 20_000, MinReclaimPercent: 5},
				}
			}),
		},
		"0.0% is a threshold for its minimum reclaim, and 100.0% one that is always crossed": {
			`"evictionHard":{"imagefs.available":"0.0%","nodefs.available":"100.0%"},"evictionMinimumReclaim":{"imagefs.available":"10%"}`,
			defaults(func(c *Config) {
				c.Thresholds = []Threshold{{Signal: SignalImageFSAvailable, MinReclaimPercent: 10}, {Signal: SignalNodeFSAvailable, Percent: 100}}
			}),
		},
		"0.0% without a minimum reclaim is none": {`"evictionHard":{"imagefs.available":"0.0%"}`, defaults(func(*Config) {})},
		"more than all counting": {
			`"evictionHard":{"imagefs.available":"123456789012345678901234567890","nodefs.available":"9Ei"}`,
			defaults(func(c *Config) {
				c.Thresholds = []Threshold{{Signal: SignalImageFSAvailable, Bytes: math.MaxInt64}, {Signal: SignalNodeFSAvailable, Bytes: math.MaxInt64}}
			}),
		},
		"a minimum reclaim has no upper bound": {
			`"evictionHard":{"imagefs.available":"1Gi"},"evictionMinimumReclaim":{"imagefs.available":"150%"}`,
			defaults(func(c *Config) {
				c.Thresholds = []Threshold{{Signal: SignalImageFSAvailable, Bytes: 1 << 30, MinReclaimPercent: 150}}
			}),
		},
		"0% and 100% are no thresholds": {`"evictionHard":{"imagefs.available":"0%","nodefs.available":"100%"}`, defaults(func(*Config) {})},
		"a soft threshold with its grace": {
			`"evictionHard":{"nodefs.available":"10%"},"evictionSoft":{"imagefs.available":"20%"},"evictionSoftGracePeriod":{"imagefs.available":"1m30s"}`,
			defaults(func(c *Config) {
				c.Thresholds = []Threshold{node10, {Signal: SignalImageFSAvailable, Percent: 20, Soft: true, Grace: 90 * time.Second}}
			}),
		},
		"minimum reclaim": {
			`"evictionHard":{"imagefs.available":"15%","nodefs.available":"10%"},"evictionMinimumReclaim":{"imagefs.available":"2Gi","nodefs.available":"5%"}`,
			defaults(func(c *Config) {
				c.Thresholds = []Threshold{
					{Signal: SignalImageFSAvailable, Percent: 15, MinReclaimBytes: 2 << 30},
					{Signal: SignalNodeFSAvailable, Percent: 10, MinReclaimPercent: 5},
				}
			}),
		},
		"image GC off":                    {`"imageGCHighThresholdPercent":100`, defaults(func(c *Config) { c.ImageGCHighPercent, c.GCOff = 100, true })},
		"image GC by age only is not off": {`"imageGCHighThresholdPercent":100,"imageMaximumGCAge":"24h0m0s"`, defaults(func(c *Config) { c.ImageGCHighPercent = 100 })},
		"no cap on the list":              {`"nodeStatusMaxImages":-1`, defaults(func(c *Config) { c.NodeStatusMaxImages = -1 })},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			got, err := ParseConfigz([]byte(`{"kubeletconfig":{` + test.fields + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseConfigzRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing":                    ``,
		"no kubelet":                 `{"kubeschedulerconfig":{}}`,
		"a threshold of words":       `{"kubeletconfig":{"evictionHard":{"imagefs.available":"much"}}}`,
		"a percentage above all":     `{"kubeletconfig":{"evictionHard":{"imagefs.available":"101%"}}}`,
		"a percentage without end":   `{"kubeletconfig":{"evictionHard":{"imagefs.available":"1%"},"evictionMinimumReclaim":{"imagefs.available":"Inf%"}}}`,
		"inodes below zero":          `{"kubeletconfig":{"evictionHard":{"imagefs.inodesFree":"-1"}}}`,
		"a percentage of nothing":    `{"kubeletconfig":{"evictionHard":{"imagefs.available":"NaN%"}}}`,
		"a size below zero":          `{"kubeletconfig":{"evictionHard":{"imagefs.available":"-1Gi"}}}`,
		"a grace that is none":       `{"kubeletconfig":{"evictionSoft":{"imagefs.available":"5%"},"evictionSoftGracePeriod":{"imagefs.available":"soon"}}}`,
		"a GC line above everything": `{"kubeletconfig":{"imageGCHighThresholdPercent":101}}`,
	}
	for what, body := range tests {
		if c, err := ParseConfigz([]byte(body)); ReasonOf(err) != ReasonMalformed {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
}

func FuzzParseConfigz(f *testing.F) {
	f.Add([]byte(`{"kubeletconfig":{"evictionHard":{"imagefs.available":"15%","nodefs.available":"1Gi"},"imageGCHighThresholdPercent":85}}`))
	f.Add([]byte(`{"kubeletconfig":{"evictionSoft":{"imagefs.available":"1e3%"},"evictionMinimumReclaim":{"imagefs.available":"1Ei"}}}`))
	f.Add([]byte(`{"kubeletconfig":{"evictionHard":{"imagefs.inodesFree":"5%","nodefs.inodesFree":"1e5"},"evictionMinimumReclaim":{"imagefs.inodesFree":"300%"}}}`))
	f.Add([]byte(`{"kubeletconfig":{"mergeDefaultEvictionSettings":true,"evictionHard":{"imagefs.available":"0.0%","nodefs.inodesFree":"0%"},"evictionMinimumReclaim":{"imagefs.available":"1m"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := ParseConfigz(body)
		if err != nil {
			if ReasonOf(err) != ReasonMalformed {
				t.Fatal(err)
			}
			return
		}
		if len(c.Thresholds) > 2*len(diskSignals) {
			t.Fatalf("%d thresholds", len(c.Thresholds))
		}
		for _, th := range c.Thresholds {
			checkThreshold(t, th)
		}
	})
}

// checkThreshold holds a threshold against what [Threshold] promises.
func checkThreshold(t *testing.T, th Threshold) {
	t.Helper()
	if th.idle() || !slices.Contains(diskSignals, th.Signal) || th.Grace < 0 || th.Grace > 0 && !th.Soft {
		t.Fatalf("%+v", th)
	}
	if !(0 <= th.Percent && th.Percent <= 100) || th.Bytes < 0 || th.Inodes < 0 || th.Percent > 0 && th.Bytes+th.Inodes > 0 {
		t.Fatalf("%+v", th)
	}
	if !(0 <= th.MinReclaimPercent) || th.MinReclaimBytes < 0 || th.MinReclaimInodes < 0 || th.MinReclaimPercent > 0 && th.MinReclaimBytes+th.MinReclaimInodes > 0 {
		t.Fatalf("%+v", th)
	}
	if inodes := strings.HasSuffix(th.Signal, "inodesFree"); inodes && th.Bytes+th.MinReclaimBytes > 0 || !inodes && th.Inodes+th.MinReclaimInodes > 0 {
		t.Fatalf("a number in the unit of another signal: %+v", th)
	}
}
