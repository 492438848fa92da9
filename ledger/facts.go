// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"hash/maphash"
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
	// uses are the images of the pods, by their names as of knownAs, of the spec and
	// of the status.
	uses uses
	seed maphash.Seed
	// unlisted are the hashes of uses that the list does not have.
	unlisted []uint64
	// unused are the entries of the list that no pod uses but finished ones.
	unused bitset
	*unsettled

	// holdings are made when they are first asked for.
	holdings atomic.Pointer[holdings]
}

// unsettled is what only nodes have on which something is, or was a short while ago, under way.
type unsettled struct {
	// claims are on bytes that the sample held may not show, by image; pulling are
	// the images of those that are pending.
	claims  []claim
	pulling []imageref.Ref
	// had are images of pods that are done, or gone a short while ago, that may be there.
	had []*PodImage
	// gone are the latter.
	gone []*Pod
}

// settledAll is what all other nodes have.
var settledAll unsettled

// unsettle returns what is unsettled, to be changed.
func (f *facts) unsettle() *unsettled {
	if f.unsettled == &settledAll {
		f.unsettled = new(unsettled)
	}
	return f.unsettled
}

// factsScratch is space for what facts are made of.
type factsScratch struct {
	names  []usedName
	uses   uses
	states []*podState
}

func newFacts(n *nodeState, scratch *factsScratch) *facts {
	f := &facts{parked: n.parked, seed: n.seed, unsettled: &settledAll}
	names, states := scratch.names[:0], scratch.states[:0]
	for _, s := range n.parked.shapes {
		names = f.addParked(names, s)
	}
	if len(n.pods) > 0 {
		f.pods = make([]*Pod, 0, len(n.pods))
	}
	states = append(states, n.pods...)
	for _, p := range states {
		if p.uses == nil {
			p.uses = usesOf(p.pod, f.seed)
		}
		names = f.add(names, p.pod, p.uses)
	}
	for _, p := range n.gone {
		if p.uses == nil {
			p.uses = hadBy(p.pod, f.seed)
		}
		names = f.addGone(names, p.pod, p.uses)
	}
	f.index(n, names, &scratch.uses)
	states = append(states, n.gone...)
	f.setClaims(claimsOf(n, f, states))
	clear(states)
	scratch.names, scratch.states = names, states
	return f
}

// withParked are the facts where parked pods have other shapes that are used as those before.
func (f *facts) withParked(p parking) *facts {
	c := &facts{pods: f.pods, requests: f.requests, parked: p, uses: f.uses, seed: f.seed, unlisted: f.unlisted, unused: f.unused, unsettled: f.unsettled}
	c.holdings.Store(f.holdings.Load())
	return c
}

// add takes in a pod that is bound, with its uses, and returns names with those.
func (f *facts) add(names []usedName, pod *Pod, used []usedName) []usedName {
	f.pods = append(f.pods, pod)
	f.hold(pod)
	return append(names, used...)
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
			u := f.unsettle()
			u.had = append(u.had, image)
		}
	}
}

// addGone is add for a pod that has been deleted.
func (f *facts) addGone(names []usedName, pod *Pod, used []usedName) []usedName {
	u := f.unsettle()
	u.gone = append(u.gone, pod)
	for i := range pod.Images {
		u.had = append(u.had, &pod.Images[i])
	}
	return append(names, used...)
}

// index works out what follows once all pods are in.
func (f *facts) index(n *nodeState, names []usedName, scratch *uses) {
	f.uses = newUses(names, scratch)
	if n.list != nil {
		f.unused, f.unlisted = unusedOf(n.list, f), unlistedOf(n.list, &f.uses)
	}
}

func (f *facts) setClaims(claims []claim) {
	if len(claims) == 0 {
		return
	}
	u := f.unsettle()
	u.claims = claims
	for i := range claims {
		if c := &claims[i]; c.state == pending && slices.ContainsFunc(c.wanters, func(w wanter) bool { return w.goneAt.IsZero() }) {
			u.pulling = append(u.pulling, c.ref)
		}
	}
	u.pulling = slices.Clip(u.pulling)
}

// of returns how the image is used, by this name or by its digest.
func (f *facts) of(ref imageref.Ref) use {
	return f.named(knownAs(ref))
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

// named returns how the image is used by a name as of knownAs.
func (f *facts) named(name string) use {
	return f.uses.of(maphash.String(f.seed, name))
}

func comparePods(a, b *Pod) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
}

// unlistedOf is sorted. Most nodes list all that their pods use.
func unlistedOf(list *imageList, u *uses) (hashes []uint64) {
	for hash := range u.all() {
		if _, listed := list.hashed(hash); !listed {
			hashes = append(hashes, hash)
		}
	}
	slices.Sort(hashes)
	return hashes
}

func unusedOf(list *imageList, f *facts) bitset {
	unused := make(bitset, (len(list.images)+63)/64)
	for i, image := range list.images {
		if !slices.ContainsFunc(image.hashes, func(hash uint64) bool { return f.uses.of(hash).running }) {
			unused.set(i, true)
		}
	}
	return unused
}
