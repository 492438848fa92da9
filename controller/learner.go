// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

const (
	// maxPredictedPods and maxPredictedImages bound what is remembered for pods whose images are pulled.
	maxPredictedPods, maxPredictedImages = 20_000, 32
	// maxObservedImages bounds the images of which it is remembered what they took.
	maxObservedImages = 10_000
	// maxTallies bounds the pools; a policy that names others again and again leaves old ones behind.
	maxTallies = 500
	// maxUnlisted and listedWithin bound the pulls that wait, and how many samples of their node, for the node to list the
	// image: the list is up to 40 seconds behind the disk.
	maxUnlisted, listedWithin = 500, 6
)

// LearningLedger is the part of the ledger that watches pulls and is told what they teach. *ledger.Ledger is one.
type LearningLedger interface {
	Snapshot() *ledger.Snapshot
	HasNode(name string) bool
	Observations() []ledger.Observation
	SetLearned(key imagesize.PoolKey, learned imagesize.Learned)
	SetObserved(key imagesize.PoolKey, ref imageref.Ref, taken estimate.Bytes)
}

// Prediction is what a pull is expected to take of a node's disk, and what that was made of.
type Prediction struct {
	Bytes  estimate.Bytes
	Source imagesize.Source
	// ReportedBytes is the image's size in the unit of the node's runtime, 0 for unknown.
	ReportedBytes int64
	// Layered says that the image's layers are known. Then BlobBytes is what has to be fetched, and Unpacked what the
	// snapshots take that have to be made: of the layers that the node does not have. BlobBytes of -1 is unknown, as are
	// Unpacked of zero.
	Layered   bool
	BlobBytes int64
	Unpacked  estimate.Bytes
}

// LearnerOptions are what a Learner asks. Its functions are called with rows of a current snapshot and must not block.
type LearnerOptions struct {
	// Pool returns the name of the node's pool, "" for none.
	Pool func(row *ledger.NodeRow) string
	// Predict returns what pulling the image for that pod would take of the node's disk.
	Predict func(row *ledger.NodeRow, ref imageref.Ref, pod types.UID) Prediction
	// Needed returns what the images that the node lists need there; only the low bound matters. Nil for not known.
	Needed func(row *ledger.NodeRow) estimate.Bytes
	// Metrics count what was watched.
	Metrics *PullMetrics
}

// Learner compares pulls with what had been predicted of them, and writes to the ledger what they teach about the nodes
// of a pool. It is a SampleListener, a PodListener and a NodeListener.
type Learner struct {
	ledger  LearningLedger
	options LearnerOptions

	mu sync.Mutex // guards the rest
	// predictions are for images that were not on the node when their pod was seen bound.
	predictions *recent[types.UID, map[imageref.Ref]Prediction]
	tallies     *recent[imagesize.PoolKey, *poolTally]
	observed    *recent[observedKey, estimate.Bytes]
	nodes       map[string]*learnedNode
	// poolNodes counts the nodes by the pool that they are in.
	poolNodes map[imagesize.PoolKey]int
	unlisted  []unlistedPull
}

type observedKey struct {
	pool imagesize.PoolKey
	ref  imageref.Ref
}

// unlistedPull is one whose reported size is not known yet.
type unlistedPull struct {
	key     observedKey
	pull    imagesize.Pull
	samples int
}

// NewLearner returns a Learner that has learned nothing.
func NewLearner(l LearningLedger, o LearnerOptions) *Learner {
	if o.Metrics == nil {
		o.Metrics = NewPullMetrics(nil)
	}
	return &Learner{
		ledger: l, options: o,
		predictions: newRecent[types.UID, map[imageref.Ref]Prediction](maxPredictedPods, nil),
		tallies:     newRecent[imagesize.PoolKey, *poolTally](maxTallies, func(key imagesize.PoolKey) { l.SetLearned(key, imagesize.Learned{}) }),
		observed:    newRecent[observedKey, estimate.Bytes](maxObservedImages, func(key observedKey) { l.SetObserved(key.pool, key.ref, estimate.Bytes{}) }),
		nodes:       make(map[string]*learnedNode),
		poolNodes:   make(map[imagesize.PoolKey]int),
	}
}

// PodSet implements PodListener: it remembers what the images of a pod that was bound are expected to take.
func (l *Learner) PodSet(pod ledger.Pod) {
	if pod.NodeName == "" || pod.Finished || pod.Deleting || !slices.ContainsFunc(pod.Images, func(i ledger.PodImage) bool { return !i.Pulled }) {
		return
	}
	row, found := l.ledger.Snapshot().Node(pod.NodeName)
	if !found {
		return
	}
	for i := range pod.Images {
		image := &pod.Images[i]
		if image.Pulled || l.predicted(pod.UID, image.Ref) || image.PullPolicy != corev1.PullAlways && row.Presence(image.Ref) == ledger.Present {
			continue
		}
		l.remember(pod.UID, image.Ref, l.options.Predict(row, image.Ref, pod.UID))
	}
}

func (l *Learner) predicted(pod types.UID, ref imageref.Ref) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	of, _ := l.predictions.get(pod)
	p, known := of[ref]
	return known && p.Layered // Its layers may be known a moment later than the pod.
}

func (l *Learner) remember(pod types.UID, ref imageref.Ref, p Prediction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of, known := l.predictions.get(pod)
	if !known {
		of = make(map[imageref.Ref]Prediction, 1)
		l.predictions.set(pod, of)
	}
	if _, again := of[ref]; again && !p.Layered {
		return // The first one stands, until one is better.
	}
	if len(of) < maxPredictedImages {
		of[ref] = p
	}
}

// PodDeleted implements PodListener.
func (l *Learner) PodDeleted(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.predictions.remove(uid)
}

// NodeSet implements NodeListener.
func (l *Learner) NodeSet(*corev1.Node, ledger.Node) {}

// NodeDeleted implements NodeListener.
func (l *Learner) NodeDeleted(name string, _ types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if node, known := l.nodes[name]; known {
		delete(l.nodes, name)
		l.leave(name, node.pool)
	}
	l.unlisted = slices.DeleteFunc(l.unlisted, func(u unlistedPull) bool { return u.pull.Node == name })
}
