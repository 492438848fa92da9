// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// candidate is a replica that writes down what it does.
type candidate struct {
	*Election
	journal journal
	log     *lockedBuffer
	stop    func() error
}

func newCandidate(t *testing.T, name string, client *fake.Clientset) *candidate {
	t.Helper()
	c := &candidate{}
	log, logged := logTo()
	c.log = logged
	c.Election = &Election{
		Namespace: "headroom-system", Identity: name, Log: log,
		Lead: func(ctx context.Context) {
			c.journal.add("leads")
			<-ctx.Done()
			c.journal.add("ends")
		},
	}
	if client != nil {
		c.Leases = client.CoordinationV1()
	}
	c.stop = start(t, c.Start)
	return c
}

func (c *candidate) did(t *testing.T, when string, want ...string) {
	t.Helper()
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	if diff := cmp.Diff(want, c.journal.lines); diff != "" {
		t.Errorf("%s, %s (-want +got):\n%s", when, c.Identity, diff)
	}
}

func TestOneLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a := newCandidate(t, "a", client)
		synctest.Wait()
		b := newCandidate(t, "b", client)
		time.Sleep(time.Minute)
		synctest.Wait()
		a.did(t, "after a minute", "leads")
		b.did(t, "after a minute")
		if !a.Leading() || b.Leading() {
			t.Errorf("a leads %v, b leads %v", a.Leading(), b.Leading())
		}
		if err := a.stop(); err != nil {
			t.Error(err)
		}
		a.did(t, "at its end", "leads", "ends")
		b.did(t, "when the first has ended")
		// The lease was released: nobody waits until it runs out.
		time.Sleep(2*leaseRetry + time.Second)
		synctest.Wait()
		b.did(t, "after that", "leads")
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		b.did(t, "at its end", "leads", "ends")
	})
}

// The end of one that never led waits for nothing.
func TestOneThatNeverLed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a := newCandidate(t, "a", client)
		synctest.Wait()
		b := newCandidate(t, "b", client)
		synctest.Wait()
		began := time.Now()
		if err := b.stop(); err != nil || time.Since(began) > 0 {
			t.Errorf("ended after %v: %v", time.Since(began), err)
		}
		b.did(t, "at its end")
		a.did(t, "after all", "leads")
	})
}

// A lease that is lost ends the work, not the process.
func TestALeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var failure atomic.Pointer[error]
		client.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			if err := failure.Load(); err != nil {
				return true, nil, *err
			}
			return false, nil, nil
		})
		a := newCandidate(t, "a", client)
		synctest.Wait()
		away := errors.New("no route to host")
		failure.Store(&away)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		a.did(t, "while the API server is away", "leads", "ends")
		if a.Leading() || strings.Count(a.log.String(), "Leader election fails") != 1 {
			t.Errorf("leads %v, log:\n%s", a.Leading(), a.log)
		}
		failure.Store(nil)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		a.did(t, "when it is back", "leads", "ends", "leads")
	})
}

func TestALeaseIsForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		client.PrependReactor("get", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}, LeaseName, errors.New(
				`User "system:serviceaccount:headroom-system:headroom" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "headroom-system"`))
		})
		a := newCandidate(t, "a", client)
		time.Sleep(time.Minute)
		synctest.Wait()
		a.did(t, "without the right")
		const sentence = `cannot get leases.coordination.k8s.io in namespace \"headroom-system\": ServiceAccount headroom-system/headroom needs get on leases.coordination.k8s.io`
		if n := strings.Count(a.log.String(), sentence); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, a.log)
		}
	})
}

func TestWithoutAnElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newCandidate(t, "a", nil)
		synctest.Wait()
		if !a.Leading() {
			t.Error("it does not lead")
		}
		if err := a.stop(); err != nil {
			t.Error(err)
		}
		a.did(t, "at its end", "leads", "ends")
	})
}
