// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/headroom-dev/headroom/ledger"
)

const (
	// AutoscalerNamespace is where a cluster-autoscaler writes its status unless --namespace says otherwise.
	AutoscalerNamespace = metav1.NamespaceSystem
	// AutoscalerConfigMap is what it writes it to unless --status-config-map-name says otherwise.
	AutoscalerConfigMap = "cluster-autoscaler-status"
	// autoscalerKey is the key under which it does.
	autoscalerKey = "status"
)

// AutoscalerLedger is the part of the ledger that an autoscaler's status goes to. *ledger.Ledger is one.
type AutoscalerLedger interface {
	SetAutoscaler(a ledger.Autoscaler)
}

// AutoscalerStatus follows the ConfigMap in which a cluster-autoscaler tells of itself. Nothing waits for that longer than
// for one answer of the API server, which may as well be that the ConfigMap must not be read.
type AutoscalerStatus struct {
	ledger   AutoscalerLedger
	informer coreinformers.ConfigMapIndexInformer
	applied  <-chan struct{}
	watch    watchState
	answered chan struct{}
	answer   sync.Once

	mu      sync.Mutex // guards the rest, and the order of what the ledger is told
	log     klog.Logger
	told    bool // something
	present bool
}

// NewAutoscalerStatus returns one that asks nothing before Start. As long as nobody knows whether there is an autoscaler, as
// now, the ledger says that there may be one: a pod that is refused for lack of a node is one that an autoscaler never sees.
func NewAutoscalerStatus(client kubernetes.Interface, l AutoscalerLedger) (*AutoscalerStatus, error) {
	s := &AutoscalerStatus{
		ledger: l, answered: make(chan struct{}), watch: watchState{resource: "configmaps"},
		informer: coreinformers.NewTypedFilteredConfigMapInformer(client, AutoscalerNamespace, 0, nil, func(list *metav1.ListOptions) {
			list.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, AutoscalerConfigMap).String()
		}),
	}
	l.SetAutoscaler(ledger.Autoscaler{Present: true})
	if err := s.informer.SetWatchErrorHandlerWithContext(s.failed); err != nil {
		return nil, fmt.Errorf("set up autoscaler informer: %w", err)
	}
	registration, err := s.informer.AddTypedEventHandler(coreinformers.ConfigMapHandlerFuncs{
		AddFunc:    s.set,
		UpdateFunc: func(_, c *corev1.ConfigMap) { s.set(c) },
		DeleteFunc: func(coreinformers.DeletedConfigMap) {
			s.watch.recovered()
			s.none()
		},
	})
	if err != nil {
		return nil, fmt.Errorf("add autoscaler event handler: %w", err)
	}
	s.applied = registration.HasSyncedChecker().Done()
	return s, nil
}

// Start follows the ConfigMap until ctx ends. It never fails: what can't be read is logged once.
func (s *AutoscalerStatus) Start(ctx context.Context) error {
	s.mu.Lock()
	s.log = klog.FromContext(ctx)
	s.mu.Unlock()
	var running sync.WaitGroup
	running.Go(func() { s.informer.RunWithContext(ctx) })
	defer running.Wait()
	select {
	case <-ctx.Done():
		return nil
	case <-s.applied:
	}
	s.noneListed()
	s.answer.Do(func() { close(s.answered) })
	<-ctx.Done()
	return nil
}

// Answered is closed when the API server has answered once, whatever it said.
func (s *AutoscalerStatus) Answered() <-chan struct{} { return s.answered }

func (s *AutoscalerStatus) failed(ctx context.Context, r *cache.Reflector, err error) {
	s.watch.handle(ctx, r, err)
	s.answer.Do(func() { close(s.answered) })
}

func (s *AutoscalerStatus) set(c *corev1.ConfigMap) {
	s.watch.recovered()
	a := AutoscalerOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(a)
	if !s.present {
		s.log.Info("A cluster-autoscaler tells of itself: new nodes count where the policy does not say otherwise",
			"configMap", klog.KObj(c), "nodeGroups", len(a.Groups))
	}
	s.present = true
}

// none is for a ConfigMap that is deleted.
func (s *AutoscalerStatus) none() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(ledger.Autoscaler{})
	if s.present {
		s.log.Info("The cluster-autoscaler's status is gone", "configMap", klog.KRef(AutoscalerNamespace, AutoscalerConfigMap))
	}
	s.present = false
}

// noneListed is for a first list of which every ConfigMap has been handled. If none was, there is none; one that has come
// since, which the handler may be told of at any time, stays.
func (s *AutoscalerStatus) noneListed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.told {
		s.tell(ledger.Autoscaler{})
	}
}

// tell is called with the lock held, so that the ledger is left with what came last.
func (s *AutoscalerStatus) tell(a ledger.Autoscaler) {
	s.ledger.SetAutoscaler(a)
	s.told = true
}
