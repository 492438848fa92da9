// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

const (
	// LeaseName names the Lease that the leading replica holds.
	LeaseName = "headroom.headroom.dev"
	// leaseDuration is how long others wait for a leader that is silent, renewDeadline how long one tries to stay it, and
	// leaseRetry how often: client-go's recommendation.
	leaseDuration, renewDeadline, leaseRetry = 15 * time.Second, 10 * time.Second, 2 * time.Second
)

// Election has one replica at a time do what only one should. It is not controller-runtime's, which ends the process when the
// lease is lost: this process also answers admission reviews, and an API server that is away for a moment is no reason to stop.
type Election struct {
	// Leases is where the Lease is, with the rights to create it and to get and update LeaseName. Nil means that this process
	// leads without asking.
	Leases coordinationv1.LeasesGetter
	// Namespace is the Lease's, and Identity what tells this process from all others.
	Namespace, Identity string
	// Lead does the work until its context ends.
	Lead func(ctx context.Context)
	Log  logr.Logger

	leading atomic.Bool
	problem problem
}

// Leading reports whether this process is the one.
func (e *Election) Leading() bool { return e.leading.Load() }

// Start takes part until ctx ends. The lease is then released.
func (e *Election) Start(ctx context.Context) error {
	if e.Leases == nil {
		e.lead(ctx)
		return nil
	}
	for ctx.Err() == nil {
		if err := e.term(ctx); err != nil {
			return err
		}
	}
	return nil
}

// term waits until this process leads, and returns when it does no more, or when ctx ends.
func (e *Election) term(ctx context.Context) error {
	done := make(chan struct{})
	lock := &lease{
		LeaseLock: resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: LeaseName}, Client: e.Leases,
			LockConfig: resourcelock.ResourceLockConfig{Identity: e.Identity},
		},
		tried: e.tried,
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock,
		Name: LeaseName, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: leaseRetry, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(held context.Context) {
				defer close(done)
				e.lead(held)
				if ctx.Err() == nil {
					e.Log.Info("This replica leads no more: its lease is lost", "lease", LeaseName, "identity", e.Identity)
				}
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(klog.NewContext(ctx, logr.Discard())) // what client-go says about each try is left to problem
	if lock.held {
		<-done // client-go does not wait for the work that it has started
	}
	return nil
}

// lead works until ctx ends.
func (e *Election) lead(ctx context.Context) {
	e.leading.Store(true)
	defer e.leading.Store(false)
	e.Log.Info("This replica leads", "lease", LeaseName, "identity", e.Identity)
	e.Lead(ctx)
}

// tried says once what keeps this process from taking part.
func (e *Election) tried(err error) {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		err = nil // The ways of an election.
	}
	if what, isNew := e.problem.occurred(err); isNew {
		e.Log.Error(err, "Leader election fails, trying again", "lease", LeaseName, "reason", what)
	}
}

// lease is a LeaseLock that tells how each request ended, and whether it was held.
type lease struct {
	resourcelock.LeaseLock
	tried func(error)
	held  bool
}

// RecordEvent implements resourcelock.Interface. Only who gets the lease has events.
func (l *lease) RecordEvent(string) { l.held = true }

// Get implements resourcelock.Interface.
func (l *lease) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.LeaseLock.Get(ctx)
	l.tried(err)
	return record, raw, err
}

// Create implements resourcelock.Interface.
func (l *lease) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	err := l.LeaseLock.Create(ctx, record)
	l.tried(err)
	return err
}

// Update implements resourcelock.Interface.
func (l *lease) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	err := l.LeaseLock.Update(ctx, record)
	l.tried(err)
	return err
}
