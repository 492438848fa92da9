// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/headroom-dev/headroom/imageref"
)

// shape is what parked pods have in common: nearly always, all those of one template that run. It never changes, but for the
// number of its pods, which writers keep.
type shape struct {
	// pod is a row without UID, NodeName, CreatedUnixSeconds and the starts of its images. Its Name is only how those of all begin.
	pod  Pod
	hash uint64
	// uses are those of its images, by name and digest.
	uses []usedName
	// names are, for each image, the hash of the name by which a node that has it lists it, see row.lists.
	names []uint64
	pods  int
}

// shapes finds the one shape of pods that are alike.
type shapes map[uint64][]*shape

// take returns the shape of a pod, which is one more of it from now on, and the end of the pod's name.
func (s shapes) take(pod *Pod, seed maphash.Seed) (found *shape, nameEnd string) {
	common := *pod
	common.UID, common.NodeName, common.CreatedUnixSeconds = "", "", 0
	common.Name, nameEnd = splitName(pod.Name)
	hash := hashOf(&common, seed)
	for _, known := range s[hash] {
		if samePodRow(&known.pod, &common) && sameButStarts(known.pod.Images, common.Images) {
			known.pods++
			return known, nameEnd
		}
	}
	common.Name = strings.Clone(common.Name) // The pod's own ends with what no other has.
	common.Images = slices.Clone(common.Images)
	for i := range common.Images {
		common.Images[i].StartedAt = time.Time{}
	}
	found = &shape{pod: common, hash: hash, pods: 1, uses: usesOf(&common, seed), names: make([]uint64, len(common.Images))}
	for i := range common.Images {
		found.names[i] = nameHash(seed, common.Images[i].listedAs())
	}
	s[hash] = append(s[hash], found)
	return found, nameEnd
}

// isUsedAs reports whether a node's facts are the same with a pod of either shape, whose images are the same.
func (s *shape) isUsedAs(o *shape) bool {
	return s.pod.Finished == o.pod.Finished && s.pod.Requests.Equal(o.pod.Requests)
}

// release takes a pod away from its shape.
func (s shapes) release(of *shape) {
	if of.pods--; of.pods > 0 {
		return
	}
	others := slices.DeleteFunc(s[of.hash], func(o *shape) bool { return o == of })
	if len(others) == 0 {
		delete(s, of.hash)
		return
	}
	s[of.hash] = others
}

// maxNameEnd is longer than what controllers add to the name of a pod's maker.
const maxNameEnd = 11

// splitName cuts a name behind its last dash, where controllers put what tells one pod from another.
func splitName(name string) (begin, end string) {
	dash := strings.LastIndexByte(name, '-')
	if len(name)-dash-1 > maxNameEnd {
		return "", name
	}
	return name[:dash+1], name[dash+1:]
}

// hashOf is equal for pods of one shape, and mostly not for others.
func hashOf(common *Pod, seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	maphash.WriteComparable(&h, struct {
		namespace, name                   string
		finished, deleting, more          bool
		milliCPU, memoryBytes, imageCount int64
		template                          any
	}{
		common.Namespace, common.Name, common.Finished, common.Deleting, common.MoreImages,
		common.Requests.MilliCPU, common.Requests.MemoryBytes, int64(len(common.Images)), common.Template,
	})
	for i := range common.Images {
		maphash.WriteComparable(&h, struct{ ref, id imageref.Ref }{common.Images[i].Ref, common.Images[i].ImageID})
	}
	return h.Sum64()
}

// sameButStarts compares images of pods that have started long ago: when no longer matters.
func sameButStarts(a, b []PodImage) bool {
	return slices.EqualFunc(a, b, func(x, y PodImage) bool {
		return x.Ref == y.Ref && x.PullPolicy == y.PullPolicy && x.ImageID == y.ImageID && x.Pulled == y.Pulled && x.Failing == y.Failing
	})
}
