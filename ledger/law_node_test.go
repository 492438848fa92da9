// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/placement"
)

const (
	lawCapacity = 100 << 30
	lawNode     = "a"
	// gcAge is how long the kubelet keeps an image at least.
	gcAge = 2 * time.Minute
	// newsOfPods is how long the ledger waits for what has happened to a bound pod.
	newsOfPods = 3 * time.Second
)

// realPod is a pod as it is, and as the ledger was told last.
type realPod struct {
	row, told ledger.Pod
	// has are the images that it has pulled.
	has  map[imageref.Ref]*realImage
	gone bool // for the ledger
	ends bool // and for the node
}

// reality is one node, its kubelet, a registry, and what the ledger hears of them.
type reality struct {
	*rand.Rand

	now, start time.Time
	ahead      time.Duration // the node's clock
	ledger     *ledger.Ledger
	disk       *realDisk
	images     []*realImage
	registry   map[imageref.Ref]*realImage
	pods       []*realPod
	count      int
	// otherBytes are on the disk besides images.
	otherBytes int64
	parallel   int
	bytesASec  int64
	cap        int
	// later is what the ledger hears, in order.
	later []heard
	// held is the sample that it has.
	held, taken realSample
	// listed is the list that it has, and unlisted when an image was removed last.
	list     realList
	removeAt time.Time
}

type heard struct {
	at time.Time
	do func()
}

type realSample struct {
	at             time.Time
	used, written  int64
	availableBytes int64
}

type realList struct {
	at     time.Time
	images []ledger.ListedImage
}

func newReality(seed uint64) *reality {
	r := &reality{
		Rand: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ledger: ledger.New(),
		disk: &realDisk{bytes: map[string]int64{}, images: map[*realImage]*realNames{}}, registry: map[imageref.Ref]*realImage{},
	}
	r.start = r.now
	r.ahead = time.Duration(r.IntN(7200)-3600) * time.Second
	r.parallel, r.bytesASec = 1+r.IntN(3), (4+r.Int64N(60))*mib
	r.cap = []int{-1, 50, 50, 2 + r.IntN(4)}[r.IntN(4)]
	r.images = realImages(r.Rand)
	for _, image := range r.images {
		r.registry[image.name], r.registry[image.tag] = image, image
		if r.IntN(4) == 0 {
			r.load(image)
		}
		for _, name := range []imageref.Ref{image.name, image.tag} {
			if r.IntN(3) > 0 {
				r.ledger.SetManifest(name, lt.Linux, image.manifest())
			}
		}
	}
	r.ledger.MarkSynced()
	lines := ledger.DefaultLines()
	lines.MaxImagesListed, lines.Assumed = r.cap, false
	r.ledger.SetLines(lawNode, lawNode, lines)
	r.hearList(r.listNow())
	r.sample(0)
	return r
}

// load puts an image on the disk from the start, some by hand, under a tag alone.
func (r *reality) load(image *realImage) {
	r.disk.write(image, 1<<50)
	r.disk.images[image] = &realNames{pulledAt: r.now.Add(-time.Hour)}
	r.disk.give(image, image.tag)
	if r.IntN(4) > 0 {
		r.disk.give(image, image.name)
	}
}

func (r *reality) step() {
	passed := time.Duration(200+r.IntN(3000)) * time.Millisecond
	r.now = r.now.Add(passed)
	for len(r.later) > 0 && !r.later[0].at.After(r.now) {
		r.later[0].do()
		r.later = r.later[1:]
	}
	r.kubelet(int64(passed.Seconds() * float64(r.bytesASec)))
	switch r.IntN(20) {
	case 0, 1, 2:
		r.create()
	case 3, 4:
		r.bind()
	case 5:
		r.finish()
	case 6:
		r.leave()
	case 7, 8:
		r.removeUnused()
	case 9, 10, 11, 12:
		r.sample(time.Duration(r.IntN(15000)) * time.Millisecond)
	case 13, 14:
		list := r.listNow()
		r.hear(time.Duration(r.IntN(40000))*time.Millisecond, func() { r.hearList(list) })
	case 15:
		r.tell()
	case 16:
		r.otherBytes += r.Int64N(4 * mib)
	}
}

// hear lets the ledger know, in the order in which things are told of pods.
func (r *reality) hear(after time.Duration, do func()) {
	at := r.now.Add(after)
	i, _ := slices.BinarySearchFunc(r.later, at, func(h heard, t time.Time) int { return cmp.Or(h.at.Compare(t), -1) })
	r.later = slices.Insert(r.later, i, heard{at, do})
}

// sample takes one, which the ledger hears of once it is that old.
func (r *reality) sample(age time.Duration) {
	if r.now.Sub(r.taken.at) < 5*time.Second {
		return
	}
	used := r.disk.used() + r.otherBytes
	s := realSample{at: r.now, used: used, written: r.disk.written, availableBytes: lawCapacity - used}
	r.taken = s
	hears := func() {
		if s.at.After(r.held.at) {
			r.held = s
		}
		r.ledger.SetMeasurement(lawNode, ledger.Measurement{
			NodeUID: lawNode, CapacityBytes: lawCapacity, AvailableBytes: s.availableBytes,
			SampledAt: s.at.Add(r.ahead), AgeAtReceipt: r.now.Sub(s.at), ReceivedAt: r.now,
		})
	}
	if age == 0 {
		hears()
		return
	}
	r.hear(age, hears)
}

// listNow is what the kubelet would write into its node's status.
func (r *reality) listNow() realList {
	list := realList{at: r.now, images: []ledger.ListedImage{}}
	if r.IntN(12) == 0 && r.now != r.start {
		list.images = nil
		return list
	}
	for _, image := range r.images {
		if names := r.disk.images[image]; names != nil {
			list.images = append(list.images, ledger.ListedImage{
				Refs: slices.Clone(names.names), NameCount: len(names.names), ReportedBytes: image.reportedBytes(),
			})
		}
	}
	slices.SortStableFunc(list.images, func(a, b ledger.ListedImage) int { return cmp.Compare(b.ReportedBytes, a.ReportedBytes) })
	if r.cap >= 0 && len(list.images) > r.cap {
		list.images = list.images[:r.cap]
	}
	return list
}

func (r *reality) hearList(list realList) {
	if list.at.Before(r.list.at) {
		return
	}
	r.list = list
	r.ledger.SetNode(ledger.Node{
		Node: placement.Node{
			Name: lawNode, Labels: map[string]string{corev1.LabelHostname: lawNode}, Ready: true, OS: lt.Linux.OS, Architecture: lt.Linux.Architecture,
			Allocatable: placement.Resources{MilliCPU: 8000, MemoryBytes: 64 << 30, Pods: 110},
		},
		UID: lawNode, Runtime: imagesize.Containerd, Images: list.images,
	})
}

// tell lets the ledger know an image's layers, or forget them.
func (r *reality) tell() {
	image := r.images[r.IntN(len(r.images))]
	name := []imageref.Ref{image.name, image.tag}[r.IntN(2)]
	if r.IntN(3) == 0 {
		r.ledger.DeleteManifest(name, lt.Linux)
	} else {
		r.ledger.SetManifest(name, lt.Linux, r.registry[name].manifest())
	}
}

func (r *reality) newPod() *realPod {
	r.count++
	name := fmt.Sprint("pod-", r.count)
	p := &realPod{has: map[imageref.Ref]*realImage{}, row: ledger.Pod{UID: types.UID(name), Namespace: "team", Name: name, Placement: placement.Of(&corev1.PodSpec{})}}
	for range 1 + r.IntN(3) {
		image := r.images[r.IntN(len(r.images))]
		ref, policy := image.tag, corev1.PullIfNotPresent
		if r.IntN(3) == 0 {
			ref = image.name
		}
		if r.IntN(5) == 0 {
			policy = corev1.PullAlways
		}
		if !slices.ContainsFunc(p.row.Images, func(o ledger.PodImage) bool { return o.Ref == ref }) {
			p.row.Images = append(p.row.Images, ledger.PodImage{Ref: ref, PullPolicy: policy})
		}
	}
	return p
}
