// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package sequence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// Timing is what a sequence's outcome must not depend on.
type Timing struct {
	// Offset passes before the first step: where in the kubelet's loops it falls.
	Offset time.Duration
	// BytesPerSecond of pulls.
	BytesPerSecond int64
}

// patience is how long a step of a simulation waits for what it names.
const patience = 3 * time.Minute

// replay is a sequence under way.
type replay struct {
	Sequence
	node   *disk.Node
	now    time.Time
	base   int64           // bytes on the disk besides images and what was filled in
	seen   map[string]bool // images that were there
	events []disk.Event
}

// Replay has a simulated node do what a real one did, with the disk and the
// images that were measured there. It returns what that node decided, and all
// that happened.
func Replay(s Sequence, at Timing) (Outcome, []disk.Event, error) {
	if s.Recorded == nil {
		return Outcome{}, nil, fmt.Errorf("sequence %s has not been recorded", s.Name)
	}
	config, err := s.config(at)
	if err != nil {
		return Outcome{}, nil, err
	}
	catalog := disk.Catalog{Images: map[string]disk.Image{}}
	for name, mib := range s.Images {
		image := s.Recorded.Images[name]
		if image.DiskBytes == 0 { // too large to have been measured: random bytes, kept twice
			image = Image{ReportedBytes: mib << 20, DiskBytes: 2 * mib << 20}
		}
		catalog.Images[name] = disk.SimpleImage(name, image.ReportedBytes, image.DiskBytes)
	}
	r := &replay{Sequence: s, now: time.Unix(0, 0), base: config.OtherUsedBytes, seen: map[string]bool{}}
	if r.node, err = disk.New(config, catalog, r.now); err != nil {
		return Outcome{}, nil, err
	}
	r.advance(at.Offset)
	for i, step := range s.Steps {
		if err := r.do(step); err != nil {
			return Outcome{}, r.events, fmt.Errorf("sequence %s: steps[%d]: %w", s.Name, i, err)
		}
	}
	return r.outcome(), r.events, nil
}

func (s Sequence) config(at Timing) (disk.Config, error) {
	thresholds, err := disk.ParseThresholds(s.EvictionHard, s.EvictionSoft, s.EvictionSoftGracePeriod, nil)
	return disk.Config{
		DiskBytes: s.Recorded.CapacityBytes, ReservedBytes: s.Recorded.ReservedBytes, OtherUsedBytes: s.Recorded.UsedBytes,
		GCHighPercent: s.ImageGCHighThresholdPercent, GCLowPercent: s.ImageGCLowThresholdPercent,
		ImageMinimumGCAge: s.ImageMinimumGCAge.Duration, PressureTransition: s.PressureTransition.Duration, Thresholds: thresholds,
		PullBytesPerSecond: at.BytesPerSecond, UnpackBytesPerSecond: at.BytesPerSecond, WritableBytes: 1,
	}, err
}

func (r *replay) advance(d time.Duration) {
	r.now = r.now.Add(d)
	r.note(r.node.Advance(r.now))
}

func (r *replay) note(events []disk.Event) {
	r.events = append(r.events, events...)
	for _, image := range r.node.Images() {
		r.seen[short(image.RepoTags[0])] = true
	}
}

// until lets time pass until something is so.
func (r *replay) until(what string, done func() bool) error {
	for waited := time.Duration(0); !done(); waited += 100 * time.Millisecond {
		if waited > patience {
			return fmt.Errorf("not within %v: %s", patience, what)
		}
		r.advance(100 * time.Millisecond)
	}
	return nil
}

func (r *replay) do(s Step) error {
	switch {
	case s.Run != "":
		return r.run(s)
	case s.Delete != "":
		r.note(r.node.RemovePod(r.now, s.Delete))
	case s.Restart:
		r.note(r.node.RestartKubelet(r.now))
	case s.LeaveAvailablePercent != 0:
		fill := r.node.AvailableBytes() - r.Recorded.CapacityBytes*s.LeaveAvailablePercent/100
		r.note(r.node.SetOtherUsedBytes(r.now, r.node.Config().OtherUsedBytes+fill))
	case s.Release:
		r.note(r.node.SetOtherUsedBytes(r.now, r.base))
	case s.Await != "":
		return r.until(s.Await, func() bool { return r.node.UnderDiskPressure() == (s.Await == Pressure) })
	default:
		r.advance(s.Wait.Duration)
	}
	return nil
}

func (r *replay) run(s Step) error {
	pod := disk.Pod{ID: s.Run, Containers: []disk.Container{{Name: "main", Image: s.Image, Policy: disk.PullIfNotPresent}}}
	if s.Important {
		pod.Priority = 1000
	}
	r.note(r.node.AddPod(r.now, pod))
	if s.PullFails {
		return r.until("the pull of "+s.Run+" fails", func() bool {
			return slices.ContainsFunc(r.events, func(e disk.Event) bool { return e.Kind == disk.ImagePullFailed && e.Pod == s.Run })
		})
	}
	return r.until(s.Run+" runs", func() bool {
		state, _ := r.node.Pod(s.Run)
		return state.Phase == disk.Running
	})
}

// outcome reads the decisions off the events.
func (r *replay) outcome() Outcome {
	out := Outcome{
		DeletedImages: []string{}, EvictedPods: []string{}, FailedPulls: []string{}, NodeEvents: []string{},
		PressureAtEnd: r.node.UnderDiskPressure(), AvailableBytes: r.node.AvailableBytes(),
	}
	for _, image := range r.node.Images() {
		delete(r.seen, short(image.RepoTags[0]))
	}
	for image := range r.seen {
		out.DeletedImages = append(out.DeletedImages, image)
	}
	for _, e := range r.events {
		switch {
		case e.Kind == disk.PodEvicted:
			out.EvictedPods = append(out.EvictedPods, e.Pod)
		case e.Kind == disk.ImagePullFailed && strings.Contains(e.Message, "no space left on device"):
			out.FailedPulls = append(out.FailedPulls, e.Pod)
		case e.Kind == disk.PressureOn:
			out.PressureCame++
		case slices.Contains(NodeEvents(), string(e.Kind)):
			out.NodeEvents = append(out.NodeEvents, string(e.Kind))
		}
	}
	return out.Sorted()
}

// Sorted puts what has no order of its own into one, each once.
func (o Outcome) Sorted() Outcome {
	for _, list := range []*[]string{&o.DeletedImages, &o.FailedPulls, &o.NodeEvents} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return o
}

// short is the name an image has in its sequence.
func short(canonical string) string {
	name, _, _ := strings.Cut(canonical[strings.LastIndexByte(canonical, '/')+1:], ":")
	return name
}
