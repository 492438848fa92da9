// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sequence describes what is done to one node's image disk, step by
// step, and what its kubelet then decides, so that a real kubelet and the
// simulated one can be held against each other.
//
// Contract: a file holds settings, images and steps, written by hand, and what a
// real node did with them, written by the real nodes' test with -update. [Replay]
// is pure and takes no real time. Steps wait for what they name rather than for
// luck: no outcome may depend on when a kubelet's loop happens to run.
//
// Units: sizes are bytes unless their name says otherwise, percents are shares
// of the file system's capacity.
package sequence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Sequence is one file.
type Sequence struct {
	Name     string `json:"-"` // the file's, without .json
	About    string `json:"about"`
	Settings `json:"settings"`
	// Images by a short name: how many MiB of random bytes each has.
	Images   map[string]int64 `json:"images"`
	Steps    []Step           `json:"steps"`
	Recorded *Recorded        `json:"recorded,omitempty"`
}

// Settings are the node's disk and what its kubelet is told, named as there.
type Settings struct {
	DiskMiB                     int64             `json:"diskMiB"`
	ImageGCHighThresholdPercent int               `json:"imageGCHighThresholdPercent"`
	ImageGCLowThresholdPercent  int               `json:"imageGCLowThresholdPercent"`
	ImageMinimumGCAge           metav1.Duration   `json:"imageMinimumGCAge"`
	EvictionHard                map[string]string `json:"evictionHard"`
	EvictionSoft                map[string]string `json:"evictionSoft,omitempty"`
	EvictionSoftGracePeriod     map[string]string `json:"evictionSoftGracePeriod,omitempty"`
	PressureTransition          metav1.Duration   `json:"evictionPressureTransitionPeriod"`
}

// Step is one thing to do; exactly one of its fields in capitals is set.
type Step struct {
	// RUN creates a pod with an Image and waits until it runs, or with PullFails
	// until its image could not be pulled.
	Run       string `json:"run,omitempty"`
	Image     string `json:"image,omitempty"`
	Important bool   `json:"important,omitempty"` // of a higher priority than other pods
	PullFails bool   `json:"pullFails,omitempty"`
	// DELETE deletes a pod.
	Delete string `json:"delete,omitempty"`
	// RESTART restarts the kubelet, which then knows all images that are there.
	Restart bool `json:"restartKubelet,omitempty"`
	// FILL fills the disk with something that is no image, until this share of it
	// is available; RELEASE takes that away again.
	LeaveAvailablePercent int64 `json:"leaveAvailablePercent,omitempty"`
	Release               bool  `json:"release,omitempty"`
	// AWAIT waits for DiskPressure, "pressure" or "no pressure".
	Await string `json:"await,omitempty"`
	// WAIT lets time pass.
	Wait metav1.Duration `json:"wait,omitzero"`
}

// What Step.Await may wait for.
const (
	Pressure   = "pressure"
	NoPressure = "no pressure"
)

// Recorded is what a real node did.
type Recorded struct {
	Kubelet string `json:"kubelet"`
	Runtime string `json:"runtime"`
	Disk    `json:"disk"`
	Outcome `json:"outcome"`
}

// Disk is what was measured, so that the simulation has the same costs.
type Disk struct {
	CapacityBytes int64 `json:"capacityBytes"`
	ReservedBytes int64 `json:"reservedBytes"` // free for root only
	UsedBytes     int64 `json:"usedBytes"`     // before the first step
	// Images by their short names.
	Images map[string]Image `json:"images"`
}

// Image is what one image costs.
type Image struct {
	ReportedBytes int64 `json:"reportedBytes"` // in node.status.images; 0 if it never got there
	DiskBytes     int64 `json:"diskBytes"`     // off the available bytes; 0 if it was never measured
}

// Outcome is what the kubelet decided.
type Outcome struct {
	// DeletedImages, sorted: were there at some time and are not any more.
	DeletedImages []string `json:"deletedImages"`
	// EvictedPods in the order of their eviction.
	EvictedPods []string `json:"evictedPods"`
	// FailedPulls are the pods, sorted, of which a pull failed for want of space.
	FailedPulls []string `json:"failedPulls"`
	// PressureCame counts how often DiskPressure began.
	PressureCame  int  `json:"pressureCame"`
	PressureAtEnd bool `json:"pressureAtEnd"`
	// NodeEvents are the reasons, sorted, of the kubelet's events about the node
	// that tell of garbage collection and eviction.
	NodeEvents []string `json:"nodeEvents"`
	// AvailableBytes at the end.
	AvailableBytes int64 `json:"availableBytes"`
}

// NodeEvents are the reasons that an Outcome looks at.
func NodeEvents() []string {
	return []string{"EvictionThresholdMet", "FreeDiskSpaceFailed", "ImageGCFailed"}
}

// Load reads all sequences of a folder, by name.
func Load(dir string) ([]Sequence, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []Sequence
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s := Sequence{Name: strings.TrimSuffix(filepath.Base(file), ".json")}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&s); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for i, step := range s.Steps {
			if err := s.check(step); err != nil {
				return nil, fmt.Errorf("%s: steps[%d]: %w", file, i, err)
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// check says what a step lacks.
func (s Sequence) check(step Step) error {
	actions := 0
	for _, is := range []bool{
		step.Run != "", step.Delete != "", step.Restart, step.LeaveAvailablePercent != 0, step.Release, step.Await != "", step.Wait.Duration != 0,
	} {
		if is {
			actions++
		}
	}
	_, known := s.Images[step.Image]
	switch {
	case actions != 1:
		return fmt.Errorf("%d actions, want one", actions)
	case step.Run != "" && !known:
		return fmt.Errorf("image %q is not in images", step.Image)
	case step.Await != "" && !slices.Contains([]string{Pressure, NoPressure}, step.Await):
		return fmt.Errorf("await %q: want %q or %q", step.Await, Pressure, NoPressure)
	}
	return nil
}

// Save writes a sequence back to its folder.
func (s Sequence) Save(dir string) error {
	body, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, s.Name+".json"), append(body, '\n'), 0o600)
}
