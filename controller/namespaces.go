// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/headroom-dev/headroom/policy"
)

// Namespaces knows the label policy.ModeLabel of every namespace.
type Namespaces struct {
	syncTimeout time.Duration
	informer    coreinformers.NamespaceIndexInformer
	applied     <-chan struct{}
	synced      chan struct{}
	watch       watchState
	// modes holds the label's value by the namespace's name, of those that have it. Readers of a sync.Map never wait for a
	// writer.
	modes sync.Map
}

// NewNamespaces returns Namespaces that ask nothing before Start. syncTimeout is as in InformerOptions.
func NewNamespaces(client kubernetes.Interface, syncTimeout time.Duration) (*Namespaces, error) {
	n := &Namespaces{
		syncTimeout: syncTimeout, synced: make(chan struct{}), watch: watchState{resource: "namespaces"},
		informer: coreinformers.NewTypedNamespaceInformer(client, 0, nil),
	}
	if err := n.informer.SetTransform(SlimNamespace); err != nil {
		return nil, fmt.Errorf("set up namespace informer: %w", err)
	}
	if err := n.informer.SetWatchErrorHandlerWithContext(n.watch.handle); err != nil {
		return nil, fmt.Errorf("set up namespace informer: %w", err)
	}
	registration, err := n.informer.AddTypedEventHandler(coreinformers.NamespaceHandlerFuncs{
		AddFunc:    n.set,
		UpdateFunc: func(_, namespace *corev1.Namespace) { n.set(namespace) },
		DeleteFunc: n.deleted,
	})
	if err != nil {
		return nil, fmt.Errorf("add namespace event handler: %w", err)
	}
	n.applied = registration.HasSyncedChecker().Done()
	return n, nil
}

// SlimNamespace is a cache transform that keeps of a Namespace what this package reads: identity and the label that says
// which mode it asks for. What is not a Namespace passes unchanged.
func SlimNamespace(obj any) (any, error) {
	n, ok := obj.(*corev1.Namespace)
	if !ok {
		return obj, nil
	}
	slim := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion}}
	if mode, labelled := n.Labels[policy.ModeLabel]; labelled {
		slim.Labels = map[string]string{policy.ModeLabel: mode}
	}
	return slim, nil
}

// Start watches namespaces until ctx ends. It returns an error only where the first list doesn't come within the sync
// timeout; the error says why.
func (n *Namespaces) Start(ctx context.Context) error {
	f := follower{
		what: "the namespaces", run: n.informer.RunWithContext, applied: n.applied, timeout: n.syncTimeout, watch: &n.watch,
		synced: func() {
			klog.FromContext(ctx).V(1).Info("Namespaces read", "namespaces", len(n.informer.GetStore().ListKeys()))
			close(n.synced)
		},
	}
	return f.follow(ctx)
}

// Synced is closed when every namespace has been read.
func (n *Namespaces) Synced() <-chan struct{} { return n.synced }

// Mode returns the value of a namespace's label policy.ModeLabel, whatever it is, and "" for none. It never waits.
func (n *Namespaces) Mode(namespace string) string {
	mode, _ := n.modes.Load(namespace)
	value, _ := mode.(string)
	return value
}

func (n *Namespaces) set(namespace *corev1.Namespace) {
	n.watch.recovered()
	if mode := namespace.Labels[policy.ModeLabel]; mode != "" {
		n.modes.Store(namespace.Name, mode)
	} else {
		n.modes.Delete(namespace.Name)
	}
}

func (n *Namespaces) deleted(d coreinformers.DeletedNamespace) {
	n.watch.recovered()
	n.modes.Delete(d.GetObjectName().Name)
}
