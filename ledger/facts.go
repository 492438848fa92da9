// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"maps"
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
	// uses are the images of the pods, by canonical name and by digest alone, of
	// the spec and of the status.
	uses map[string]use
	// names holds the keys of uses.
	names filter
	// unused are the entries of the list that no pod uses but finished ones, in its order.
	unused []int
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

// use is how the pods of a node use an image.
type use struct {
	// running says that a pod that is not finished needs it, pulled that one of
	// those has it, and had that a finished one had it, or one that is gone may have.
	running, pulled, had bool
}

func newFacts(n *nodeState) *facts {
	f := &facts{pods: make([]*Pod, 0, len(n.pods)), uses: make(map[string]use, 4*len(n.pods))}
	states := make([]*podState, 0, len(n.pods))
	for _, p := range n.pods {
		states = append(states, p)
	}
	slices.SortFunc(states, func(a, b *podState) int {
		return cmp.Or(strings.Compare(a.pod.Namespace, b.pod.Namespace), strings.Compare(a.pod.Name, b.pod.Name), cmp.Compare(a.pod.UID, b.pod.UID))
	})
	for _, p := range states {
		f.add(p.pod)
	}
	for _, p := range n.gone {
		f.addGone(p.pod)
	}
	f.index(n)
	f.setClaims(claimsOf(n, f, append(states, n.gone...)))
	return f
}

// add takes in a pod that is bound.
func (f *facts) add(pod *Pod) {
	f.pods = append(f.pods, pod)
	if !pod.Finished {
		requests := pod.Requests
		requests.Pods = 1
		f.requests = f.requests.Plus(requests)
	}
	for i := range pod.Images {
		image := &pod.Images[i]
		how := use{running: !pod.Finished, pulled: !pod.Finished && image.Pulled, had: pod.Finished && image.Pulled}
		f.use(image.Ref, how)
		f.use(image.ImageID, how)
		if how.had {
			f.had = append(f.had, image)
		}
	}
}

// addGone takes in a pod that has been deleted.
func (f *facts) addGone(pod *Pod) {
	f.gone = append(f.gone, pod)
	for i := range pod.Images {
		f.use(pod.Images[i].Ref, use{had: true})
		f.use(pod.Images[i].ImageID, use{had: true})
		f.had = append(f.had, &pod.Images[i])
	}
}

// index works out what follows once all pods are in.
func (f *facts) index(n *nodeState) {
	if n.list != nil {
		f.unused = unusedOf(n.list, f)
	}
	f.names = newFilter(n.seed, maps.Keys(f.uses), len(f.uses))
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

func (f *facts) use(ref imageref.Ref, how use) {
	if ref.IsZero() {
		return
	}
	f.uses[ref.String()] = f.uses[ref.String()].or(how)
	if digest := ref.Digest(); digest != "" {
		f.uses[digest] = f.uses[digest].or(how)
	}
}

func (u use) or(o use) use {
	return use{running: u.running || o.running, pulled: u.pulled || o.pulled, had: u.had || o.had}
}

// of returns how the image is used, by this name or by its digest.
func (f *facts) of(ref imageref.Ref) use {
	u := f.uses[ref.String()]
	if digest := ref.Digest(); digest != "" {
		u = u.or(f.uses[digest])
	}
	return u
}

func unusedOf(list *imageList, f *facts) []int {
	var unused []int
	for i, image := range list.images {
		if !slices.ContainsFunc(image.Refs, func(ref imageref.Ref) bool { return f.of(ref).running }) {
			unused = append(unused, i)
		}
	}
	return unused
}
