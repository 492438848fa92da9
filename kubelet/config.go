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
	defaultPressureTransition = 5 * time.Minute
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
	// ImageMinimumGCAge is how long the kubelet must know an unused image before it may delete it.
	ImageMinimumGCAge time.Duration
	// ImageMaximumGCAge is how long an unused image may stay, 0 for ever.
	ImageMaximumGCAge time.Duration

	// Thresholds are the eviction thresholds that stand for disk space, hard
	// ones first, by signal. Empty: this kubelet never evicts for disk space.
	Thresholds []Threshold
	// PressureTransition is how long DiskPressure outlasts its cause.
	PressureTransition time.Duration

	// NodeStatusMaxImages caps node.status.images; -1 is no cap.
	NodeStatusMaxImages int
	// SerializeImagePulls says that images are pulled one at a time.
	SerializeImagePulls bool
	// MaxParallelImagePulls is 0 where there is no limit.
	MaxParallelImagePulls int
	// RuntimeEndpoint is the socket of the container runtime.
	RuntimeEndpoint string
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
		ImageGCHighPercent:    or(k.ImageGCHighThresholdPercent, defaultImageGCHighPercent),
		ImageGCLowPercent:     or(k.ImageGCLowThresholdPercent, defaultImageGCLowPercent),
		ImageMinimumGCAge:     k.ImageMinimumGCAge.Duration,
		ImageMaximumGCAge:     k.ImageMaximumGCAge.Duration,
		Thresholds:            thresholds,
		PressureTransition:    k.EvictionPressureTransitionPeriod.Duration,
		NodeStatusMaxImages:   or(k.NodeStatusMaxImages, defaultStatusMaxImages),
		SerializeImagePulls:   k.SerializeImagePulls == nil || *k.SerializeImagePulls,
		MaxParallelImagePulls: or(k.MaxParallelImagePulls, 0),
		RuntimeEndpoint:       k.ContainerRuntimeEndpoint,
	}
	if c.PressureTransition == 0 {
		c.PressureTransition = defaultPressureTransition
	}
	if !percent(c.ImageGCHighPercent) || !percent(c.ImageGCLowPercent) {
		return Config{}, failure(ReasonMalformed, nil, "the kubelet's image GC thresholds are %d and %d percent: they must lie between 0 and 100",
			c.ImageGCHighPercent, c.ImageGCLowPercent)
	}
	c.GCOff = c.ImageGCHighPercent == 100 && c.ImageMaximumGCAge == 0
	return c, nil
}

func percent(n int) bool { return 0 <= n && n <= 100 }

func or(n *int32, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return int(*n)
}
