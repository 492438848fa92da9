// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/headroom-dev/headroom/ledger"
)

// ObjectWriter is the part of the ledger that Node and Pod objects change. Its methods can't fail.
type ObjectWriter interface {
	SetNode(n ledger.Node)
	DeleteNode(name string, uid types.UID)
	SetPod(p ledger.Pod, now time.Time)
	DeletePod(uid types.UID, now time.Time)
	MarkSynced()
}

// NodeListener is told about every Node after the ledger is. The object is shared and must not be changed. Calls for all
// nodes come from one goroutine, so it must not block.
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
	// ResyncPeriod is how often every object known is written to the ledger again, 0 for never.
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
// no queue that would hide when the first list has been applied.
type Informers struct {
	nodes    coreinformers.NodeIndexInformer
	pods     coreinformers.PodIndexInformer
	applied  []<-chan struct{}
	ledger   ObjectWriter
	options  InformerOptions
	problems map[string]*watchState
}

// ProtobufConfig returns a copy of c whose clients speak protobuf, which costs a fraction of JSON to decode.
func ProtobufConfig(c *rest.Config) *rest.Config {
	c = rest.CopyConfig(c)
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return c
}

// NewInformers connects informers for all Nodes and Pods to l. Nothing is asked before Start.
func NewInformers(client kubernetes.Interface, l ObjectWriter, o InformerOptions) (*Informers, error) {
	if o.Now == nil {
		o.Now = wallClock
	}
	i := &Informers{
		nodes:    coreinformers.NewTypedNodeInformer(client, o.ResyncPeriod, nil),
		pods:     coreinformers.NewTypedPodInformer(client, metav1.NamespaceAll, o.ResyncPeriod, coreinformers.PodIndexers{cache.NamespaceIndex: byNamespace}),
		ledger:   l,
		options:  o,
		problems: map[string]*watchState{"nodes": {resource: "nodes"}, "pods": {resource: "pods"}},
	}
	err := errors.Join(
		i.nodes.SetTransform(SlimNode),
		i.nodes.SetWatchErrorHandlerWithContext(i.problems["nodes"].handle),
		i.pods.SetTransform(newPodSharing().transform),
		i.pods.SetWatchErrorHandlerWithContext(i.problems["pods"].handle),
	)
	if err != nil {
		return nil, fmt.Errorf("set up informers: %w", err)
	}
	nodes, err := i.nodes.AddTypedEventHandler(coreinformers.NodeHandlerFuncs{
		AddFunc:    i.setNode,
		UpdateFunc: i.updateNode,
		DeleteFunc: i.deleteNode,
	})
	if err != nil {
		return nil, fmt.Errorf("add node event handler: %w", err)
	}
	pods, err := i.pods.AddTypedEventHandler(coreinformers.PodHandlerFuncs{
		AddFunc:    i.setPod,
		UpdateFunc: i.updatePod,
		DeleteFunc: i.deletePod,
	})
	if err != nil {
		return nil, fmt.Errorf("add pod event handler: %w", err)
	}
	i.applied = []<-chan struct{}{nodes.HasSyncedChecker().Done(), pods.HasSyncedChecker().Done()}
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
	klog.FromContext(ctx).Info("Ledger synced", "nodes", len(i.nodes.GetStore().ListKeys()), "pods", len(i.pods.GetStore().ListKeys()))
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

func (i *Informers) setNode(n *corev1.Node) {
	i.problems["nodes"].recovered()
	row := NodeOf(n)
	i.ledger.SetNode(row)
	for _, listener := range i.options.Nodes {
		listener.NodeSet(n, row)
	}
}

// updateNode also sees nodes that were deleted and made again under the same name while the watch was down.
func (i *Informers) updateNode(before, n *corev1.Node) {
	if before.UID != n.UID {
		i.dropNode(before.Name, before.UID)
	}
	i.setNode(n)
}

// deleteNode takes the UID from the last known object, which may be old: it says which node of that name is gone. With no
// object at all there never was a row.
func (i *Informers) deleteNode(d coreinformers.DeletedNode) {
	i.problems["nodes"].recovered()
	if d.OptionalObj != nil {
		i.dropNode(d.OptionalObj.Name, d.OptionalObj.UID)
	}
}

func (i *Informers) dropNode(name string, uid types.UID) {
	i.ledger.DeleteNode(name, uid)
	for _, listener := range i.options.Nodes {
		listener.NodeDeleted(name, uid)
	}
}

func (i *Informers) setPod(p *corev1.Pod) {
	i.problems["pods"].recovered()
	row := PodOf(p)
	i.ledger.SetPod(row, i.options.Now())
	for _, listener := range i.options.Pods {
		listener.PodSet(row)
	}
}

func (i *Informers) updatePod(before, p *corev1.Pod) {
	if before.UID != p.UID {
		i.dropPod(before.UID)
	}
	i.setPod(p)
}

func (i *Informers) deletePod(d coreinformers.DeletedPod) {
	i.problems["pods"].recovered()
	if d.OptionalObj != nil {
		i.dropPod(d.OptionalObj.UID)
	}
}

func (i *Informers) dropPod(uid types.UID) {
	i.ledger.DeletePod(uid, i.options.Now())
	for _, listener := range i.options.Pods {
		listener.PodDeleted(uid)
	}
}
