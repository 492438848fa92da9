// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/headroom-dev/headroom/ledger"
)

// ObjectWriter is the part of the ledger that Node and Pod objects change. Its methods can't fail.
type ObjectWriter interface {
	KeepNode(n *ledger.Node, images []ledger.ListedImage)
	// ListedImages returns the images that were last written of a node.
	ListedImages(node string) []ledger.ListedImage
	DeleteNode(name string, uid types.UID)
	SetPod(p ledger.Pod, now time.Time)
	DeletePod(uid types.UID, now time.Time)
	MarkSynced()
	// PodsBut returns the UIDs of the pods that were written and not deleted, but for those given.
	PodsBut(uids *ledger.UIDs) []types.UID
	// HeldPods returns those pods.
	HeldPods() iter.Seq[ledger.HeldPod]
}

// NodeListener is told about every Node after the ledger is, but for updates in which nothing differs that is kept. Of the object
// it gets what slimNode keeps and the row has not; what it refers to is shared and must not be changed. Calls for all nodes come
// from one goroutine, so it must not block.
type NodeListener interface {
	NodeSet(n *corev1.Node, row ledger.Node)
	NodeDeleted(name string, uid types.UID)
}

// PodListener is told about every Pod after the ledger is, as NodeListener is about Nodes.
type PodListener interface {
	PodSet(row ledger.Pod)
	PodDeleted(uid types.UID)
}

// InformerOptions are the settings of Informers.
type InformerOptions struct {
	// ResyncPeriod is how often every node known is written to the ledger again, 0 for never. Of pods there is one copy, in the
	// ledger.
	ResyncPeriod time.Duration
	// SyncTimeout bounds the wait for the first lists. A process that can't list by then has nothing to offer and ends,
	// so that its Deployment shows it.
	SyncTimeout time.Duration
	Nodes       []NodeListener
	Pods        []PodListener
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Informers watch Nodes and Pods and write each event straight to the ledger: a write in memory can't fail, so there is
// no queue that would hide when the first list has been applied. No object is kept: of nodes the cache has records, and pods are
// in the ledger only.
type Informers struct {
	nodes    cache.SharedIndexInformer
	pods     cache.Controller
	podQueue *podQueue
	podFeed  *podFeed
	applied  []<-chan struct{}
	ledger   ObjectWriter
	options  InformerOptions
	problems map[string]*watchState
}

// NewInformers connects informers for all Nodes and Pods to l. Nothing is asked before Start.
func NewInformers(client kubernetes.Interface, l ObjectWriter, o InformerOptions) (*Informers, error) {
	if o.Now == nil {
		o.Now = wallClock
	}
	i := &Informers{
		nodes:    cache.NewSharedIndexInformerWithOptions(nodesOf(client), &corev1.Node{}, cache.SharedIndexInformerOptions{ResyncPeriod: o.ResyncPeriod}),
		podFeed:  newPodFeed(),
		ledger:   l,
		options:  o,
		problems: map[string]*watchState{"nodes": {resource: "nodes"}, "pods": {resource: "pods"}},
	}
	i.podQueue = newPodQueue(i.setPod, i.dropPod, l.PodsBut)
	i.pods = cache.New(&cache.Config{
		Queue: i.podQueue, ListerWatcher: podsOf(client, i.podQueue), ObjectDescription: "v1.Pod", // of two types
		WatchErrorHandlerWithContext: i.problems["pods"].handle,
	})
	err := errors.Join(
		i.nodes.SetTransform(newNodeFeed(i.record).transform),
		i.nodes.SetWatchErrorHandlerWithContext(i.problems["nodes"].handle),
	)
	if err != nil {
		return nil, fmt.Errorf("set up informers: %w", err)
	}
	nodes, err := i.nodes.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { i.setNode(recordIn(object)) },
		UpdateFunc: func(before, object any) { i.updateNode(recordIn(before), recordIn(object)) },
		DeleteFunc: func(object any) { i.deleteNode(recordIn(object)) },
	})
	if err != nil {
		return nil, fmt.Errorf("add node event handler: %w", err)
	}
	i.applied = []<-chan struct{}{nodes.HasSyncedChecker().Done(), i.podQueue.applied}
	return i, nil
}

// Start watches until ctx ends. When the first lists of nodes and of pods have been written to the ledger, it marks the
// ledger synced, once. It returns an error only where that doesn't happen within the sync timeout; the error says why.
func (i *Informers) Start(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { i.nodes.RunWithContext(ctx) })
	running.Go(func() { i.pods.RunWithContext(ctx) })
	defer running.Wait()
	defer stop()

	if err := i.waitForFirstLists(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	i.ledger.MarkSynced()
	klog.FromContext(ctx).Info("Ledger synced", "nodes", len(i.nodes.GetStore().ListKeys()), "pods", i.podQueue.listed.Load())
	<-ctx.Done()
	return nil
}

func (i *Informers) waitForFirstLists(ctx context.Context) error {
	timeout := time.NewTimer(i.options.SyncTimeout)
	defer timeout.Stop()
	for _, applied := range i.applied {
		select {
		case <-applied:
		case <-ctx.Done():
			return nil
		case <-timeout.C:
			return i.syncError()
		}
	}
	return nil
}

// syncError says what keeps the first lists from arriving.
func (i *Informers) syncError() error {
	var reasons []error
	for _, resource := range []string{"nodes", "pods"} {
		if reason := i.problems[resource].problem(); reason != "" {
			reasons = append(reasons, errors.New(reason))
		}
	}
	if len(reasons) == 0 {
		return fmt.Errorf("the first lists of nodes and pods did not arrive within %v", i.options.SyncTimeout)
	}
	return fmt.Errorf("the first lists of nodes and pods did not arrive within %v: %w", i.options.SyncTimeout, errors.Join(reasons...))
}

// record returns what the cache has of a node, nil for nothing.
func (i *Informers) record(name string) *nodeRecord {
	object, _, _ := i.nodes.GetStore().GetByKey(name) // it never fails
	return recordIn(object)
}

// recordIn returns the record that an event is about, nil where it is not known.
func recordIn(object any) *nodeRecord {
	if unknown, is := object.(cache.DeletedFinalStateUnknown); is {
		object = unknown.Obj
	}
	r, _ := object.(*nodeRecord)
	return r
}

func (i *Informers) setNode(r *nodeRecord) {
	if r == nil {
		return
	}
	i.problems["nodes"].recovered()
	n, row := r.node(), *r.row
	var anew bool
	if row.Images, anew = r.handOver(); !anew {
		row.Images = i.ledger.ListedImages(row.Name)
	}
	i.ledger.KeepNode(r.row, row.Images)
	for _, listener := range i.options.Nodes {
		listener.NodeSet(n, row)
	}
}

// updateNode also sees nodes that were deleted and made again under the same name while the watch was down, and every node at
// each resync, for which the version stays the same.
func (i *Informers) updateNode(before, r *nodeRecord) {
	switch {
	case before == nil || r == nil:
	case before.row.UID != r.row.UID:
		i.dropNode(before)
	case before.resourceVersion != r.resourceVersion && r.isSame(before):
		i.problems["nodes"].recovered()
		return
	}
	i.setNode(r)
}

// deleteNode takes the UID from the last known record, which may be old: it says which node of that name is gone. With no
// record at all there never was a row.
func (i *Informers) deleteNode(r *nodeRecord) {
	i.problems["nodes"].recovered()
	if r != nil {
		i.dropNode(r)
	}
}

func (i *Informers) dropNode(r *nodeRecord) {
	i.ledger.DeleteNode(r.row.Name, r.row.UID)
	for _, listener := range i.options.Nodes {
		listener.NodeDeleted(r.row.Name, r.row.UID)
	}
}

func (i *Informers) setPod(object metav1.Object) error {
	i.problems["pods"].recovered()
	row, err := i.podFeed.rowOf(object)
	if err != nil {
		return err
	}
	i.ledger.SetPod(row, i.options.Now())
	for _, listener := range i.options.Pods {
		listener.PodSet(row)
	}
	return nil
}

func (i *Informers) dropPod(uid types.UID) {
	i.problems["pods"].recovered()
	i.ledger.DeletePod(uid, i.options.Now())
	for _, listener := range i.options.Pods {
		listener.PodDeleted(uid)
	}
}
