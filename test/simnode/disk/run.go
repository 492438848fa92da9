// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"cmp"
	"fmt"
)

// sync is the kubelet's pod worker: it goes over the pod's steps until one has
// to wait for a pull, for an init container, or for the next retry.
func (n *Node) sync(p *pod) {
	p.wake = zeroTime
	if p.terminal() {
		return
	}
	n.noteExits(p)
	for p.cursor < len(p.units) && !p.terminal() {
		u := p.units[p.cursor]
		if u.started() {
			if u.kind == initUnit && !u.Sidecar && u.running() {
				p.wake = u.exitAt
				return
			}
			p.cursor++
			continue
		}
		ready, waits := n.ensureImage(p, u)
		if waits {
			return
		}
		if !ready {
			n.skip(p, u)
		}
	}
	p.cursor = 0
	n.sleep(p)
}

// sleep ends a pass: the pod is looked at again after a failure, and when a
// container's time is over.
func (n *Node) sleep(p *pod) {
	if p.failed {
		p.failed = false
		p.wake = n.now.Add(n.cfg.SyncRetry)
	}
	for _, u := range p.units {
		if u.running() && !u.exitAt.IsZero() && (p.wake.IsZero() || u.exitAt.Before(p.wake)) {
			p.wake = u.exitAt
		}
	}
}

// skip leaves out a step whose image is not to be had in this pass. A volume or
// an init container ends the pass, a plain container does not.
func (n *Node) skip(p *pod, u *unit) {
	p.failed = true
	p.cursor++
	if u.blocks() {
		p.cursor = len(p.units)
	}
}

// ensureImage starts the step when its image is there, or asks for a pull
// (kubelet: imageManager.EnsureImageExists).
func (n *Node) ensureImage(p *pod, u *unit) (ready, waits bool) {
	if u.canonical == "" {
		u.setWaiting("InvalidImageName", fmt.Sprintf("Failed to apply default image tag %q: couldn't parse image name", u.Image))
		n.emit(Event{Kind: ImagePullFailed, Pod: p.ID, Container: u.Name, Image: u.Image, Message: u.state.WaitingMessage})
		return false, false
	}
	rec := n.store.find(u.canonical)
	switch {
	case u.Policy == PullNever && rec == nil:
		u.setWaiting("ErrImageNeverPull", fmt.Sprintf("Container image %q is not present with pull policy of Never", u.Image))
		n.emit(Event{Kind: ImagePullFailed, Pod: p.ID, Container: u.Name, Image: u.Image, Message: u.state.WaitingMessage})
		return false, false
	case u.Policy != PullAlways && rec != nil:
		n.emit(Event{
			Kind: ImagePresent, Pod: p.ID, Container: u.Name, Image: u.Image,
			Message: fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", u.Image),
		})
		n.start(p, u, rec)
		return true, false
	}
	request := &pull{pod: p, unit: u, requested: n.now}
	if b := n.backoffs[backoffKey(request)]; b != nil && n.now.Sub(b.last) < b.pause {
		message := fmt.Sprintf("Back-off pulling image %q", u.Image)
		u.setWaiting("ImagePullBackOff", message+": "+b.message)
		n.emit(Event{Kind: ImageBackOff, Pod: p.ID, Container: u.Name, Image: u.Image, Message: message})
		return false, false
	}
	n.emit(Event{Kind: ImagePulling, Pod: p.ID, Container: u.Name, Image: u.Image, Message: fmt.Sprintf("Pulling image %q", u.Image)})
	n.queue = append(n.queue, request)
	return false, true
}

// start makes and starts the container, or mounts the volume.
func (n *Node) start(p *pod, u *unit, rec *record) {
	u.setWaiting("", "")
	u.state.StartedAt = n.now
	u.state.ImageID = rec.id
	u.state.ImageRef = first(rec.digests)
	if u.kind == volumeUnit {
		return
	}
	u.state.DiskBytes = cmp.Or(u.WritableBytes, n.cfg.WritableBytes)
	if u.RunFor > 0 || u.kind == initUnit && !u.Sidecar {
		u.exitAt = n.now.Add(u.RunFor)
	}
	n.emit(Event{Kind: ContainerStarted, Pod: p.ID, Container: u.Name, Image: u.Image})
	n.noteExits(p)
}

// noteExits ends containers whose time is over, and the pod with its last one. A
// pod runs once all its containers have started (kubelet: getPhase).
func (n *Node) noteExits(p *pod) {
	for _, u := range p.units {
		if u.running() && !u.exitAt.IsZero() && !u.exitAt.After(n.now) {
			u.state.FinishedAt = u.exitAt
			n.emit(Event{Kind: ContainerExited, Pod: p.ID, Container: u.Name, Image: u.Image})
		}
	}
	made, over := 0, 0
	for _, u := range p.units {
		switch {
		case u.kind != mainUnit:
			continue
		case !u.started():
			return
		case !u.running():
			over++
		}
		made++
	}
	switch {
	case made == 0:
	case over == made:
		n.finish(p, Succeeded, "", "")
		n.emit(Event{Kind: PodFinished, Pod: p.ID})
	default:
		p.phase = Running
	}
}

// finish makes a pod terminal. Its dead containers stay and hold their images.
func (n *Node) finish(p *pod, phase Phase, reason, message string) {
	n.cancelPulls(p)
	p.phase, p.reason, p.message, p.wake = phase, reason, message, zeroTime
	for _, u := range p.units {
		if u.running() {
			u.state.FinishedAt = n.now
		}
	}
}
