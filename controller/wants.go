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
}

// Evidence is what is known about an image's size; *ledger.Snapshot has it.
type Evidence interface {
	Evidence(ref imageref.Ref, runtime imagesize.Runtime, platform imagesize.Platform) imagesize.Evidence
}

// Wants tells the registries which images pods wait for that no node has reported the size of. It is a PodListener and a
// NodeListener: it asks for the platforms that the cluster's nodes have.
type Wants struct {
	registries Registries
	evidence   func() Evidence
	wake       chan struct{}

	mu sync.Mutex // guards the rest
	// waiting holds, for each image, the pods that wait for it; images is the other way around.
	waiting map[imageref.Ref]map[types.UID]struct{}
	images  map[types.UID][]imageref.Ref
	fresh   map[imageref.Ref]struct{}
	classes map[sizeClass]int
	nodes   map[string]nodeClass
}

// sizeClass is what the reported size of an image depends on.
type sizeClass struct {
	runtime  imagesize.Runtime
	platform imagesize.Platform
}

type nodeClass struct {
	uid   types.UID
	class sizeClass
}

// NewWants returns a Wants that asks nothing before Start. evidence returns the latest snapshot.
func NewWants(registries Registries, evidence func() Evidence) *Wants {
	return &Wants{
		registries: registries,
		evidence:   evidence,
		wake:       make(chan struct{}, 1),
		waiting:    make(map[imageref.Ref]map[types.UID]struct{}),
		images:     make(map[types.UID][]imageref.Ref),
		fresh:      make(map[imageref.Ref]struct{}),
		classes:    make(map[sizeClass]int),
		nodes:      make(map[string]nodeClass),
	}
}

// Start asks about each image as soon as a pod waits for it, and about all of them again every five minutes, until ctx
// ends.
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
	classes := slices.Collect(maps.Keys(w.classes))
	if len(classes) == 0 {
		w.mu.Unlock()
		return
	}
	refs := slices.Collect(maps.Keys(w.fresh))
	if all {
		refs = slices.Collect(maps.Keys(w.waiting))
	}
	clear(w.fresh)
	w.mu.Unlock()

	evidence := w.evidence()
	for _, ref := range refs {
		if platforms := unsized(evidence, ref, classes); len(platforms) > 0 {
			w.registries.Want(ref, platforms...)
		}
	}
}

// unsized returns the platforms for which no node of some runtime family reports the image.
func unsized(evidence Evidence, ref imageref.Ref, classes []sizeClass) []imagesize.Platform {
	var platforms []imagesize.Platform
	for _, class := range classes {
		if !evidence.Evidence(ref, class.runtime, class.platform).Reported.IsZero() || slices.Contains(platforms, class.platform) {
			continue
		}
		platforms = append(platforms, class.platform)
	}
	return platforms
}

// PodSet implements PodListener.
func (w *Wants) PodSet(row ledger.Pod) {
	var refs []imageref.Ref
	if !row.Finished && !row.Deleting {
		for i := range row.Images {
			if !row.Images[i].Pulled && row.Images[i].PullPolicy != corev1.PullNever {
				refs = append(refs, row.Images[i].Ref)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Equal(w.images[row.UID], refs) {
		return
	}
	w.drop(row.UID)
	if len(refs) == 0 {
		return
	}
	w.images[row.UID] = refs
	for _, ref := range refs {
		if w.waiting[ref] == nil {
			w.waiting[ref] = make(map[types.UID]struct{})
			w.fresh[ref] = struct{}{}
		}
		w.waiting[ref][row.UID] = struct{}{}
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
	for _, ref := range w.images[uid] {
		delete(w.waiting[ref], uid)
		if len(w.waiting[ref]) == 0 {
			delete(w.waiting, ref)
			delete(w.fresh, ref)
		}
	}
	delete(w.images, uid)
}

// NodeSet implements NodeListener. A class of nodes that is new makes every image fresh.
func (w *Wants) NodeSet(_ *corev1.Node, row ledger.Node) {
	class := sizeClass{runtime: row.Runtime, platform: imagesize.Platform{OS: row.OS, Architecture: row.Architecture}}
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, known := w.nodes[row.Name]; known {
		if before.class == class {
			w.nodes[row.Name] = nodeClass{uid: row.UID, class: class}
			return
		}
		w.count(before.class, -1)
	}
	w.nodes[row.Name] = nodeClass{uid: row.UID, class: class}
	w.count(class, 1)
	if w.classes[class] == 1 && class.platform.OS != "" && class.platform.Architecture != "" {
		for ref := range w.waiting {
			w.fresh[ref] = struct{}{}
		}
		w.poke()
	}
}

// NodeDeleted implements NodeListener.
func (w *Wants) NodeDeleted(name string, uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, found := w.nodes[name]; found && (uid == "" || known.uid == uid) {
		w.count(known.class, -1)
		delete(w.nodes, name)
	}
}

// count leaves out nodes whose platform is not known yet: no manifest could be chosen for them.
func (w *Wants) count(class sizeClass, change int) {
	if class.platform.OS == "" || class.platform.Architecture == "" {
		return
	}
	if w.classes[class] += change; w.classes[class] <= 0 {
		delete(w.classes, class)
	}
}

func (w *Wants) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
