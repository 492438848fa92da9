// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/headroom-dev/headroom/policy"
)

// PolicySourceOptions are the settings of a PolicySource.
type PolicySourceOptions struct {
	// Namespace and Name are the ConfigMap's; empty means policy.Namespace and policy.ConfigMapName.
	Namespace, Name string
	// SyncTimeout bounds the wait for the first answer of the API server, as in InformerOptions.
	SyncTimeout time.Duration
	// Events takes what the ConfigMap's owner should know; nil means nobody.
	Events EventSink
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// PolicySource keeps the policy that is in force equal to the text in a ConfigMap. A text that is not valid changes
// nothing: the last valid one stays in force, and an Event on the ConfigMap says what is wrong. Where there is none, the
// defaults are in force; where there has only ever been an invalid one, the defaults in mode Audit.
type PolicySource struct {
	options  PolicySourceOptions
	informer coreinformers.ConfigMapIndexInformer
	applied  <-chan struct{}
	synced   chan struct{}
	watch    watchState
	inForce  atomic.Pointer[loaded]

	mu     sync.Mutex // guards the rest; only events take it
	log    klog.Logger
	last   *corev1.ConfigMap
	counts PolicyLoads
}

// NewPolicySource returns a source that asks nothing before Start. Until the first answer, the defaults are in force in
// mode Audit.
func NewPolicySource(client kubernetes.Interface, o PolicySourceOptions) (*PolicySource, error) {
	if o.Namespace == "" {
		o.Namespace = policy.Namespace
	}
	if o.Name == "" {
		o.Name = policy.ConfigMapName
	}
	if o.Now == nil {
		o.Now = wallClock
	}
	s := &PolicySource{options: o, synced: make(chan struct{}), watch: watchState{resource: "configmaps"}}
	s.inForce.Store(auditDefaults(PolicyPending, "the policy has not been read yet"))
	s.informer = coreinformers.NewTypedFilteredConfigMapInformer(client, o.Namespace, 0, nil, func(list *metav1.ListOptions) {
		list.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, o.Name).String()
	})
	if err := s.informer.SetWatchErrorHandlerWithContext(s.watch.handle); err != nil {
		return nil, fmt.Errorf("set up policy informer: %w", err)
	}
	registration, err := s.informer.AddTypedEventHandler(coreinformers.ConfigMapHandlerFuncs{
		AddFunc:    s.set,
		UpdateFunc: func(_, c *corev1.ConfigMap) { s.set(c) },
		DeleteFunc: s.deleted,
	})
	if err != nil {
		return nil, fmt.Errorf("add policy event handler: %w", err)
	}
	s.applied = registration.HasSyncedChecker().Done()
	return s, nil
}

// Start watches the ConfigMap until ctx ends. It returns an error only where the first answer doesn't come within the
// sync timeout; the error says why.
func (s *PolicySource) Start(ctx context.Context) error {
	s.mu.Lock()
	s.log = klog.FromContext(ctx)
	s.mu.Unlock()
	f := follower{
		what: "the policy", run: s.informer.RunWithContext, applied: s.applied, timeout: s.options.SyncTimeout, watch: &s.watch,
		synced: s.afterFirstList,
	}
	return f.follow(ctx)
}

// Policy returns the policy in force. It is shared and must not be changed.
func (s *PolicySource) Policy() *policy.Policy { return s.inForce.Load().policy }

// InForce returns the policy in force and what it was read from.
func (s *PolicySource) InForce() PolicyInForce {
	now := s.inForce.Load()
	return PolicyInForce{Policy: now.policy, Text: now.text}
}

// State says where the policy in force comes from, and whether the ConfigMap's text is valid.
func (s *PolicySource) State() PolicyState { return s.inForce.Load().state }

// Synced is closed when the ConfigMap, or that there is none, is known.
func (s *PolicySource) Synced() <-chan struct{} { return s.synced }

// Loads returns what became of the texts seen since the start.
func (s *PolicySource) Loads() PolicyLoads {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// afterFirstList puts the defaults in force where there is no ConfigMap.
func (s *PolicySource) afterFirstList() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil && s.inForce.Load().state.Source == PolicyPending {
		s.inForce.Store(defaults())
		s.log.Info("No policy found, the defaults are in force", "configMap", klog.KRef(s.options.Namespace, s.options.Name))
	}
	close(s.synced)
}

// set takes a version of the ConfigMap into account.
func (s *PolicySource) set(c *corev1.ConfigMap) {
	s.watch.recovered()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.UID == c.UID && policy.SameText(s.last.Data, c.Data) {
		return
	}
	s.last = c
	before := s.inForce.Load()
	p, warnings, err := policy.LoadConfigMap(c.Data, before.state.keepable())
	if err != nil {
		s.counts.Invalid++
		s.invalid(c, before, err)
		return
	}
	s.counts.Valid++
	now := &loaded{policy: p, text: c.Data[policy.ConfigMapKey], state: PolicyState{
		Source: PolicyConfigMap, Valid: true, Version: p.Version, ResourceVersion: c.ResourceVersion,
	}}
	s.inForce.Store(now)
	s.log.Info("Policy in force", "configMap", klog.KObj(c), "version", now.state.Version, "mode", p.Mode, "before", before.policy.Mode)
	for _, warning := range warnings {
		s.log.Info("Policy has something this version does not know", "configMap", klog.KObj(c), "warning", warning)
	}
	for _, note := range p.Notes(s.options.Now()) {
		s.log.Info("Policy has something that does nothing", "configMap", klog.KObj(c), "note", note)
	}
}

// invalid keeps what is in force, or falls to Audit where nothing valid ever was.
func (s *PolicySource) invalid(c *corev1.ConfigMap, before *loaded, err error) {
	sentence := oneLine(err.Error(), maxEventMessage)
	now := &loaded{policy: before.policy, text: before.text, state: before.state}
	stays := "the last valid policy stays in force"
	switch before.state.Source {
	case PolicyPending, PolicyFallback:
		now = auditDefaults(PolicyFallback, sentence)
		stays = "there is no valid one to keep: the defaults are in force in mode Audit"
	case PolicyDefaults:
		stays = "the defaults stay in force"
	case PolicyConfigMap:
	}
	now.state.Valid, now.state.Problem, now.state.ResourceVersion = false, sentence, c.ResourceVersion
	s.inForce.Store(now)
	s.log.Error(err, "Policy is not valid", "configMap", klog.KObj(c), "mode", now.policy.Mode, "inForce", stays)
	s.record(c, "PolicyInvalid", fmt.Sprintf("policy not valid, %s: %s", stays, sentence))
}

// deleted puts the defaults in force.
func (s *PolicySource) deleted(d coreinformers.DeletedConfigMap) {
	s.watch.recovered()
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last
	if d.OptionalObj != nil {
		last = d.OptionalObj
	}
	s.last = nil
	s.counts.Deleted++
	now := defaults()
	s.inForce.Store(now)
	s.log.Info("Policy deleted, the defaults are in force", "configMap", klog.KRef(s.options.Namespace, s.options.Name), "mode", now.policy.Mode)
	if last != nil {
		s.record(last, "PolicyDeleted", fmt.Sprintf("policy deleted: the defaults are in force, mode %s", now.policy.Mode))
	}
}

// record says something about one version of the ConfigMap, which is what replicas and restarts agree on.
func (s *PolicySource) record(c *corev1.ConfigMap, reason, message string) {
	if s.options.Events == nil {
		return
	}
	s.options.Events.Record(Event{
		About: corev1.ObjectReference{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: c.Namespace, Name: c.Name, UID: c.UID, ResourceVersion: c.ResourceVersion,
		},
		Warning: true,
		Reason:  reason,
		Message: message,
		Key:     reason + " " + c.ResourceVersion,
		At:      s.options.Now(),
	})
}
