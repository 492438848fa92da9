// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// Replicas, and whoever comes after them, share the count.
func TestSendBacksAreCountedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a, b := newReplica(t, client), newReplica(t, client)
		synctest.Wait()
		a.answers(t, sentBack("web", 1), SendBackAgreed)
		synctest.Wait()
		b.answers(t, sentBack("web", 2), SendBackAgreed)
		synctest.Wait()
		later := newReplica(t, client)
		synctest.Wait()
		later.answers(t, sentBack("web", 3), SendBackAgreed)
		synctest.Wait()
		for _, r := range []*replica{a, b, later, newReplica(t, client)} {
			synctest.Wait()
			r.answers(t, sentBack("web", 4), SendBackLimited)
		}
	})
}

// While nobody knows what the others do, nothing is sent back.
func TestSendBackNeedsTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var failing atomic.Bool
		failing.Store(true)
		client.PrependReactor("list", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
			if failing.Load() {
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New("no"))
			}
			return false, nil, nil
		})
		a := newReplica(t, client)
		synctest.Wait()
		a.answers(t, sentBack("web", 1), SendBackNotReady)
		failing.Store(false)
		time.Sleep(feedForbidden)
		synctest.Wait()
		a.answers(t, sentBack("web", 1), SendBackAgreed)
	})
}
