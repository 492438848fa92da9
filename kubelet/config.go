// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"encoding/json"
	"time"

	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// The kubelet's own defaults, used where its answer leaves a field out.
const (
	defaultImageGCHighPercent = 85
	defaultImageGCLowPercent  = 80
	defaultStatusMaxImages    = 50
)

// Config is what of a kubelet's configuration decides when it trims images,
// when it evicts pods, and what its node's status tells.
type Config struct {
	// ImageGCHighPercent and ImageGCLowPercent are the periodic image garbage
	// collection's lines, in percent of capacity used.
	ImageGCHighPercent, ImageGCLowPercent int
	// GCOff is set when the periodic image garbage collection never runs: its
	// high line is 100 and there is no maximum age (kubelet.go, StartGarbageCollection).
	GCOff bool
	// ImageMinimumGCAge is how long the kubelet must have known an image before it deletes it, 0 where it does not tell.
	ImageMinimumGCAge time.Duration
	// Thresholds are the eviction thresholds that stand for disk space, bytes and
	// inodes, hard ones first, by signal. Empty: this kubelet never evicts for
	// disk space.
	Thresholds []Threshold
	// NodeStatusMaxImages caps node.status.images; -1 is no cap.
	NodeStatusMaxImages int
}

// ParseConfigz reads the body of /configz.
//
// The kubelet prints its configuration after its defaults were applied. It
// prints no evictionHard only where none is in force (an operator who sets it
// empty, cmd/kubelet/app/server.go), so that a missing one means no threshold.
// A threshold that does not parse is an error: such a kubelet would not run.
func ParseConfigz(body []byte) (Config, error) {
	var z struct {
		Config *kubeletv1beta1.KubeletConfiguration `json:"kubeletconfig"`
	}
	if err := json.Unmarshal(body, &z); err != nil {
		return Config{}, failure(ReasonMalformed, err, "the answer is not a kubelet's configuration: check the address and port")
	}
	if z.Config == nil {
		return Config{}, failure(ReasonMalformed, nil, "the answer has no kubeletconfig: check the address and port")
	}
	k := z.Config
	thresholds, err := thresholds(k)
	if err != nil {
		return Config{}, err
	}
	c := Config{
		ImageGCHighPercent:  or(k.ImageGCHighThresholdPercent, defaultImageGCHighPercent),
		ImageGCLowPercent:   or(k.ImageGCLowThresholdPercent, defaultImageGCLowPercent),
		ImageMinimumGCAge:   k.ImageMinimumGCAge.Duration,
		Thresholds:          thresholds,
		NodeStatusMaxImages: or(k.NodeStatusMaxImages, defaultStatusMaxImages),
	}
	if !percent(c.ImageGCHighPercent) || !percent(c.ImageGCLowPercent) {
		return Config{}, failure(ReasonMalformed, nil, "the kubelet's image GC thresholds are %d and %d percent: they must lie between 0 and 100",
			c.ImageGCHighPercent, c.ImageGCLowPercent)
	}
	c.GCOff = c.ImageGCHighPercent == 100 && k.ImageMaximumGCAge.Duration == 0
	return c, nil
}

func percent(n int) bool { return 0 <= n && n <= 100 }

func or(n *int32, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return int(*n)
}
