// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
)

// some picks a pod that is so; nil for none.
func (r *reality) some(is func(*realPod) bool) *realPod {
	var all []*realPod
	for _, p := range r.pods {
		if !p.ends && is(p) {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[r.IntN(len(all))]
}

// write tells the ledger of a pod, at once or soon.
func (r *reality) write(p *realPod, after time.Duration) {
	row := p.row
	row.Images = slices.Clone(row.Images)
	do := func() {
		p.told = row
		r.ledger.SetPod(row, r.now)
	}
	if after == 0 {
		do()
		return
	}
	r.hear(after, do)
}

// create adds a pod: most wait to be bound for a while.
func (r *reality) create() {
	p := r.newPod()
	r.pods = append(r.pods, p)
	p.row.Gated = r.IntN(8) == 0
	if r.IntN(2) == 0 && !r.listIsBehind() {
		p.row.Gated, p.row.NodeName, p.row.Placement = false, lawNode, nil
	}
	r.write(p, 0)
}

func (r *reality) bind() {
	if p := r.some(func(p *realPod) bool { return p.row.NodeName == "" && !p.row.Deleting }); p != nil && !r.listIsBehind() {
		p.row.Gated, p.row.NodeName, p.row.Placement = false, lawNode, nil
		r.write(p, 0)
	}
}

// finish ends a pod, but not while its image is on its way: a pull that goes on then
// is one that the ledger does not expect.
func (r *reality) finish() {
	done := func(p *realPod) bool {
		return !slices.ContainsFunc(p.row.Images, func(i ledger.PodImage) bool { return !i.Pulled && slices.Contains(r.disk.pulling, r.wanted(&i)) })
	}
	if p := r.some(func(p *realPod) bool { return p.waits() && done(p) }); p != nil {
		p.row.Finished = true
		r.write(p, newsOfPods)
	}
}

// leave begins to delete a pod, or does.
func (r *reality) leave() {
	p := r.some(func(*realPod) bool { return true })
	switch {
	case p == nil:
	case !p.row.Deleting && r.IntN(2) == 0:
		p.row.Deleting = true
		r.write(p, newsOfPods)
	default:
		p.ends = true
		r.hear(newsOfPods, func() {
			p.gone = true
			r.ledger.DeletePod(p.row.UID, r.now)
		})
		if len(r.disk.pulling) == 1 && r.IntN(2) == 0 {
			r.endPull(r.disk.pulling[0])
		}
	}
}

// endPull ends a pull that nobody waits for any more.
func (r *reality) endPull(image *realImage) {
	waits := r.some(func(p *realPod) bool {
		return p.waits() && slices.ContainsFunc(p.row.Images, func(i ledger.PodImage) bool { return !i.Pulled && r.registry[i.Ref] == image })
	})
	if waits == nil {
		r.disk.pulling = slices.DeleteFunc(r.disk.pulling, func(o *realImage) bool { return o == image })
	}
}

func (p *realPod) waits() bool { return p.row.NodeName != "" && !p.row.Finished && !p.ends }

// kubelet goes on with what pods wait for.
func (r *reality) kubelet(bytes int64) {
	for _, image := range slices.Clone(r.disk.pulling) {
		if bytes = r.disk.write(image, bytes); bytes == 0 {
			break
		}
		r.disk.pulling = slices.DeleteFunc(r.disk.pulling, func(o *realImage) bool { return o == image })
		r.disk.images[image] = &realNames{pulledAt: r.now}
		r.disk.give(image, image.name)
	}
	for _, p := range r.pods {
		if !p.waits() {
			continue
		}
		for i := range p.row.Images {
			if image := &p.row.Images[i]; !image.Pulled {
				if r.ensure(p, image) {
					r.write(p, newsOfPods)
				}
				break
			}
		}
	}
}

// ensure pulls an image unless it is there, and reports whether it is.
func (r *reality) ensure(p *realPod, image *ledger.PodImage) bool {
	wanted := r.wanted(image)
	if r.disk.images[wanted] == nil {
		if !slices.Contains(r.disk.pulling, wanted) && len(r.disk.pulling) < r.parallel && r.held.at.After(r.removeAt) {
			r.disk.pulling = append(r.disk.pulling, wanted)
		}
		return false
	}
	if r.disk.find(image.Ref) != wanted {
		r.disk.give(wanted, image.Ref)
	}
	p.has[image.Ref] = wanted
	image.Pulled, image.ImageID, image.Failing = true, wanted.name, false
	if r.IntN(6) > 0 {
		image.StartedAt = r.now.Add(r.ahead).Truncate(time.Second)
	}
	return true
}

// wanted is the image that a pod that has not pulled it needs.
func (r *reality) wanted(image *ledger.PodImage) *realImage {
	if there := r.disk.find(image.Ref); there != nil && image.PullPolicy == corev1.PullIfNotPresent {
		return there
	}
	return r.registry[image.Ref]
}

// unused are the images on the disk that no pod uses which is not finished: as it is,
// or as the ledger knows.
func (r *reality) unused(pods func(*realPod) *ledger.Pod) []*realImage {
	used := map[*realImage]bool{}
	for _, p := range r.pods {
		row := pods(p)
		if row == nil || row.NodeName == "" || row.Finished {
			continue
		}
		for i := range row.Images {
			image := &row.Images[i]
			if image.Pulled {
				used[p.has[image.Ref]] = true
			} else if there := r.disk.find(image.Ref); there != nil && (row == &p.row || r.list.has(image.Ref)) {
				used[there] = true
			}
		}
	}
	var unused []*realImage
	for _, image := range r.images {
		if r.disk.images[image] != nil && !used[image] {
			unused = append(unused, image)
		}
	}
	return unused
}

func (p *realPod) real() *ledger.Pod {
	if p.ends {
		return nil
	}
	return &p.row
}

func (p *realPod) known() *ledger.Pod {
	if p.gone || p.told.UID == "" {
		return nil
	}
	return &p.told
}

// removeUnused is the kubelet's garbage collection. Not while anything is pulled: what
// is freed meanwhile can't be told from what is not written.
func (r *reality) removeUnused() {
	if len(r.disk.pulling) > 0 || r.disk.written != r.held.written {
		return
	}
	before := r.disk.used()
	r.disk.remove() // What pulls have left that ended.
	for _, image := range r.unused((*realPod).real) {
		if r.now.Sub(r.disk.images[image].pulledAt) >= gcAge && r.IntN(3) > 0 {
			r.disk.remove(image)
		}
	}
	if r.disk.used() < before {
		r.removeAt = r.now
	}
}

func (l *realList) has(name imageref.Ref) bool {
	return slices.ContainsFunc(l.images, func(i ledger.ListedImage) bool { return slices.Contains(i.Refs, name) })
}

// listIsBehind reports whether the ledger's list may have images that are gone. No pod
// is bound then: it would be taken to have them.
func (r *reality) listIsBehind() bool { return r.removeAt.After(r.list.at) }
