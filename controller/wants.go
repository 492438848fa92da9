// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// wantsAgain is how often images that are still wanted are asked about once more. Who is asked remembers its answers.
const wantsAgain = 5 * time.Minute

// Registries looks for the sizes of images, in the background and without ever blocking. *registry.Resolver is one.
type Registries interface {
	Want(ref imageref.Ref, platforms ...imagesize.Platform)
	// WantLater is Want for images that nothing waits for: after all others.
	WantLater(ref imageref.Ref, platforms ...imagesize.Platform)
}

// Evidence is what is known about an image's size; *ledger.Snapshot has it.
type Evidence interface {
	Evidence(ref imageref.Ref, runtime imagesize.Runtime, platform imagesize.Platform) imagesize.Evidence
}

// Wants tells the registries of which images it helps to know the layers: those that pods wait for, for all platforms that
// the cluster has nodes of, and after them those that nodes list, for those nodes' platforms. A size that nodes report is
// none of a new disk's: layers say what is shared. It is a PodListener and a NodeListener.
type Wants struct {
	registries Registries
	evidence   func() Evidence
	wake       chan struct{}

	mu sync.Mutex // guards the rest
	// waiting holds, for each image, the pods that wait for it, and whether they ask the registry at each start; images is
	// the other way around.
	waiting   map[imageref.Ref]map[types.UID]bool
	images    map[types.UID][]waitedImage
	fresh     map[imageref.Ref]struct{}
	platforms map[imagesize.Platform]int
	nodes     map[string]wantingNode
	listed    nodeImages
}

// waitedImage is an image that a pod waits for. It moves where the next start may bring another image by the same name.
type waitedImage struct {
	ref   imageref.Ref
	moves bool
}

type wantingNode struct {
	uid      types.UID
	platform imagesize.Platform
	listed   []imageref.Ref
}

// NewWants returns a Wants that asks nothing before Start. evidence returns the latest snapshot.
func NewWants(registries Registries, evidence func() Evidence) *Wants {
	return &Wants{
		registries: registries,
		evidence:   evidence,
		wake:       make(chan struct{}, 1),
		waiting:    make(map[imageref.Ref]map[types.UID]bool),
		images:     make(map[types.UID][]waitedImage),
		fresh:      make(map[imageref.Ref]struct{}),
		platforms:  make(map[imagesize.Platform]int),
		nodes:      make(map[string]wantingNode),
		listed:     newNodeImages(),
	}
}

// Start asks about each image as soon as a pod waits for it or a node lists it, and again every five minutes about those
// of which the layers are still not known, until ctx ends.
func (w *Wants) Start(ctx context.Context) error {
	again := time.NewTicker(wantsAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			w.ask(true)
		case <-w.wake:
			w.ask(false)
		}
	}
}

// ask asks about all images or the fresh ones. Fresh ones stay so while there is no node to ask for.
func (w *Wants) ask(all bool) {
	w.mu.Lock()
	evidence := w.evidence()
	platforms, wanted := slices.Collect(maps.Keys(w.platforms)), w.take(all)
	later := w.listed.offer(all, func(i nodeImage) bool { return layered(evidence, i.ref, i.platform) })
	w.mu.Unlock()

	for _, image := range wanted {
		unknown := slices.DeleteFunc(slices.Clone(platforms), func(p imagesize.Platform) bool {
			return !image.moves && layered(evidence, image.ref, p)
		})
		if len(unknown) > 0 {
			w.registries.Want(image.ref, unknown...)
		}
	}
	for _, image := range later {
		w.registries.WantLater(image.ref, image.platform)
	}
}

// take returns the images to ask about that pods wait for. The caller holds mu.
func (w *Wants) take(all bool) []waitedImage {
	if len(w.platforms) == 0 {
		return nil
	}
	var wanted []waitedImage
	for ref, pods := range w.waiting {
		if _, fresh := w.fresh[ref]; !all && !fresh {
			continue
		}
		image := waitedImage{ref: ref}
		for _, moves := range pods {
			image.moves = image.moves || moves
		}
		wanted = append(wanted, image)
	}
	clear(w.fresh)
	return wanted
}

// layered reports whether a registry has told the layers of an image. That does not depend on a node's runtime.
func layered(evidence Evidence, ref imageref.Ref, p imagesize.Platform) bool {
	return evidence.Evidence(ref, imagesize.OtherRuntime, p).Manifest.Layered()
}

// PodSet implements PodListener.
func (w *Wants) PodSet(row ledger.Pod) {
	var images []waitedImage
	if !row.Finished && !row.Deleting {
		for i := range row.Images {
			if image := &row.Images[i]; !image.Pulled && image.PullPolicy != corev1.PullNever {
				images = append(images, waitedImage{image.Ref, image.PullPolicy == corev1.PullAlways && image.Ref.Digest() == ""})
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Equal(w.images[row.UID], images) {
		return
	}
	w.drop(row.UID)
	if len(images) == 0 {
		return
	}
	w.images[row.UID] = images
	for _, image := range images {
		if w.waiting[image.ref] == nil {
			w.waiting[image.ref] = make(map[types.UID]bool)
			w.fresh[image.ref] = struct{}{}
		}
		w.waiting[image.ref][row.UID] = image.moves
	}
	w.poke()
}

// PodDeleted implements PodListener.
func (w *Wants) PodDeleted(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(uid)
}

func (w *Wants) drop(uid types.UID) {
	for _, image := range w.images[uid] {
		delete(w.waiting[image.ref], uid)
		if len(w.waiting[image.ref]) == 0 {
			delete(w.waiting, image.ref)
			delete(w.fresh, image.ref)
		}
	}
	delete(w.images, uid)
}

func (w *Wants) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
