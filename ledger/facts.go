// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/placement"
)

// facts are what follows from a node's pods and image list. They never change,
// and are made anew when one of the two does.
type facts struct {
	pods     []*Pod
	requests placement.Resources // of pods that are not finished
	// parked are those of the pods that are; pods has the others.
	parked parking
	// uses are the images of the pods, by canonical name and by digest alone, of
	// the spec and of the status.
	uses uses
	seed maphash.Seed
	// names holds the hashes of uses.
	names filter
	// unused are the entries of the list that no pod uses but finished ones, in its order.
	unused []int32
	// claims are on bytes that the sample held may not show, by image; pulling are
	// the images of those that are pending.
	claims  []claim
	pulling []imageref.Ref
	// had are images of pods that are done, or gone a short while ago, that may be there.
	had []*PodImage
	// gone are the latter.
	gone []*Pod
	// holdings are made when they are first asked for.
	holdings atomic.Pointer[holdings]
}

func newFacts(n *nodeState) *facts {
	f := &facts{parked: n.parked, seed: n.seed}
	var names []usedName
	for _, s := range n.parked.shapes {
		names = f.addParked(names, s)
	}
	if len(n.pods) > 0 {
		f.pods = make([]*Pod, 0, len(n.pods))
	}
	states := make([]*podState, 0, len(n.pods))
	for _, p := range n.pods {
		states = append(states, p)
	}
	slices.SortFunc(states, func(a, b *podState) int { return comparePods(a.pod, b.pod) })
	for _, p := range states {
		names = f.add(names, p.pod)
	}
	for _, p := range n.gone {
		names = f.addGone(names, p.pod)
	}
	f.index(n, names)
	f.setClaims(claimsOf(n, f, append(states, n.gone...)))
	return f
}

// add takes in a pod that is bound, and returns names with those of its images.
func (f *facts) add(names []usedName, pod *Pod) []usedName {
	f.pods = append(f.pods, pod)
	f.hold(pod)
	return append(names, usesOf(pod, f.seed)...)
}

// addParked is add for a pod that is parked.
func (f *facts) addParked(names []usedName, s *shape) []usedName {
	f.hold(&s.pod)
	return append(names, s.uses...)
}

// hold takes in what a pod requests, and the images that it had.
func (f *facts) hold(pod *Pod) {
	if !pod.Finished {
		requests := pod.Requests
		requests.Pods = 1
		f.requests = f.requests.Plus(requests)
		return
	}
	for i := range pod.Images {
		if image := &pod.Images[i]; image.Pulled {
			f.had = append(f.had, image)
		}
	}
}

// addGone takes in a pod that has been deleted.
func (f *facts) addGone(names []usedName, pod *Pod) []usedName {
	f.gone = append(f.gone, pod)
	for i := range pod.Images {
		names = appendUses(names, pod.Images[i].Ref, use{had: true}, f.seed)
		names = appendUses(names, pod.Images[i].ImageID, use{had: true}, f.seed)
		f.had = append(f.had, &pod.Images[i])
	}
	return names
}

// index works out what follows once all pods are in.
func (f *facts) index(n *nodeState, names []usedName) {
	f.uses = newUses(names)
	f.names = newFilter(f.uses.hashes)
	if n.list != nil {
		f.unused = unusedOf(n.list, f)
	}
}

func (f *facts) setClaims(claims []claim) {
	f.claims = claims
	for i := range f.claims {
		if c := &f.claims[i]; c.state == pending && slices.ContainsFunc(c.wanters, func(w wanter) bool { return w.goneAt.IsZero() }) {
			f.pulling = append(f.pulling, c.ref)
		}
	}
	f.pulling = slices.Clip(f.pulling)
}

// of returns how the image is used, by this name or by its digest.
func (f *facts) of(ref imageref.Ref) use {
	u := f.named(ref.String())
	if digest := ref.Digest(); digest != "" {
		u = u.or(f.named(digest))
	}
	return u
}

// bound returns the images of all pods that are bound, by pod.
func (f *facts) bound() iter.Seq2[*Pod, []PodImage] {
	return func(yield func(*Pod, []PodImage) bool) {
		for _, p := range f.pods {
			if !yield(p, p.Images) {
				return
			}
		}
		for _, s := range f.parked.shapes {
			if !yield(&s.pod, s.pod.Images) {
				return
			}
		}
	}
}

// rows returns the rows of all pods that are bound, by namespace and name.
func (f *facts) rows(node string) []*Pod {
	rows := slices.Clone(f.pods)
	for i := range f.parked.pods {
		rows = append(rows, f.parked.row(i, node))
	}
	slices.SortFunc(rows, comparePods)
	return rows
}

// named returns how the image is used by a canonical name, or by a digest alone.
func (f *facts) named(name string) use {
	if len(f.uses.hashes) == 0 {
		return use{}
	}
	return f.uses.of(maphash.String(f.seed, name))
}

func comparePods(a, b *Pod) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
}

func unusedOf(list *imageList, f *facts) []int32 {
	var unused []int32
	for i, image := range list.images {
		if !slices.ContainsFunc(image.hashes, func(hash uint64) bool { return f.uses.of(hash).running }) {
			unused = append(unused, int32(i))
		}
	}
	return slices.Clone(unused) // without what it has grown by
}
