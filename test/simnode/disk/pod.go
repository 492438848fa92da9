// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"slices"
	"time"
)

// PullPolicy is a container's image pull policy.
type PullPolicy string

// The pull policies, spelled as in the API.
const (
	PullAlways       PullPolicy = "Always"
	PullIfNotPresent PullPolicy = "IfNotPresent"
	PullNever        PullPolicy = "Never"
)

// Container is one container, or one image volume, of a pod.
type Container struct {
	Name   string
	Image  string
	Policy PullPolicy
	// Sidecar marks an init container that keeps running.
	Sidecar bool
	// RunFor is how long it runs. 0 means at once over for an init container and
	// for ever for any other.
	RunFor time.Duration
	// WritableBytes is its writable layer; 0 means Config.WritableBytes.
	WritableBytes int64
	// RequestBytes is its ephemeral-storage request.
	RequestBytes int64
}

// Pod is what the kubelet is told to run.
type Pod struct {
	// ID is unique for ever, such as the UID.
	ID       string
	Priority int32
	// Critical pods are admitted under DiskPressure and never evicted: static,
	// mirror, and system-critical priority (kubelet: IsCriticalPod).
	Critical       bool
	Volumes        []Container
	InitContainers []Container
	Containers     []Container
}

// Phase is a pod's phase, spelled as in the API.
type Phase string

// The phases a pod goes through here.
const (
	Pending   Phase = "Pending"
	Running   Phase = "Running"
	Succeeded Phase = "Succeeded"
	Failed    Phase = "Failed"
)

type unitKind int

const (
	volumeUnit unitKind = iota
	initUnit
	mainUnit
)

// unit is one step of starting a pod: an image volume, then each init
// container, then each container.
type unit struct {
	Container
	kind      unitKind
	canonical string
	state     ContainerState
	exitAt    time.Time
}

type pod struct {
	Pod
	created time.Time
	phase   Phase
	reason  string
	message string
	units   []*unit
	// cursor is where the current pass over the units stands.
	cursor int
	failed bool
	// wake is when the pod has to be looked at again; zero means when its pull ends.
	wake time.Time
	// removed says that the dead containers are gone, and with them their hold on images.
	removed bool
}

// PodState is what the kubelet would report of a pod.
type PodState struct {
	Phase          Phase
	Reason         string
	Message        string
	InitContainers []ContainerState
	Containers     []ContainerState
}

// ContainerState is what the kubelet would report of a container.
type ContainerState struct {
	Name string
	// WaitingReason and WaitingMessage say why it has not started.
	WaitingReason  string
	WaitingMessage string
	// ImageRef is repository@digest once the container exists.
	ImageRef  string
	ImageID   string
	StartedAt time.Time
	// FinishedAt is zero while it runs.
	FinishedAt time.Time
	// DiskBytes is the writable layer.
	DiskBytes int64
}

func newPod(spec Pod, now time.Time) *pod {
	p := &pod{Pod: spec, created: now, phase: Pending}
	p.grow(volumeUnit, spec.Volumes)
	p.grow(initUnit, spec.InitContainers)
	p.grow(mainUnit, spec.Containers)
	return p
}

func (p *pod) grow(kind unitKind, containers []Container) {
	for _, c := range containers {
		u := &unit{Container: c, kind: kind, state: ContainerState{Name: c.Name}}
		u.canonical, _ = CanonicalName(c.Image) // "" is answered with InvalidImageName
		u.setWaiting("ContainerCreating", "")
		p.units = append(p.units, u)
	}
}

func (u *unit) setWaiting(reason, message string) {
	u.state.WaitingReason, u.state.WaitingMessage = reason, message
}

// started is true for good once the image is there and the container was made.
func (u *unit) started() bool { return !u.state.StartedAt.IsZero() }

func (u *unit) running() bool { return u.started() && u.state.FinishedAt.IsZero() }

// blocks says whether the pod's later steps wait for this one.
func (u *unit) blocks() bool { return u.kind != mainUnit }

func (p *pod) terminal() bool { return p.phase == Succeeded || p.phase == Failed }

// measured says whether the kubelet has statistics of the pod.
func (p *pod) measured() bool {
	return !p.removed && slices.ContainsFunc(p.units, func(u *unit) bool { return u.kind != volumeUnit && u.running() })
}

func (p *pod) state() PodState {
	s := PodState{Phase: p.phase, Reason: p.reason, Message: p.message}
	for _, u := range p.units {
		switch u.kind {
		case initUnit:
			s.InitContainers = append(s.InitContainers, u.state)
		case mainUnit:
			s.Containers = append(s.Containers, u.state)
		case volumeUnit:
		}
	}
	return s
}

// imagesInUse adds the images that the pod's containers hold, dead ones
// included. Image volumes count from the first container on.
func (p *pod) imagesInUse(into map[string]bool) {
	if p.removed || !slices.ContainsFunc(p.units, func(u *unit) bool { return u.kind != volumeUnit && u.started() }) {
		return
	}
	for _, u := range p.units {
		if u.started() {
			into[u.state.ImageID] = true
		}
	}
}

// diskBytes is what the pod's containers have written.
func (p *pod) diskBytes() int64 {
	var sum int64
	if !p.removed {
		for _, u := range p.units {
			sum += u.state.DiskBytes
		}
	}
	return sum
}

func (p *pod) uses() []containerUse {
	var out []containerUse
	for _, u := range p.units {
		if u.kind == mainUnit && u.started() {
			out = append(out, containerUse{name: u.Name, diskBytes: u.state.DiskBytes, requestBytes: u.RequestBytes})
		}
	}
	return out
}

func (p *pod) requestBytes() int64 {
	var sum int64
	for _, u := range p.units {
		if u.kind == mainUnit {
			sum += u.RequestBytes
		}
	}
	return sum
}
