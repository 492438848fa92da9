// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func selfSigned(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// issuer is an API server that counts the tokens it gives.
type issuer struct {
	mu    sync.Mutex
	given int
	err   error
	delay time.Duration
	life  int64 // seconds, 0 as asked
}

func (i *issuer) set(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
}

func (i *issuer) source() *TokenSource {
	client := fake.NewClientset()
	client.PrependReactor("create", "serviceaccounts", func(a clienttesting.Action) (bool, runtime.Object, error) {
		i.mu.Lock()
		defer i.mu.Unlock()
		time.Sleep(i.delay)
		if i.err != nil {
			return true, nil, i.err
		}
		create, ok := a.(clienttesting.CreateActionImpl)
		if !ok || a.GetSubresource() != "token" || a.GetNamespace() != "a" || create.Name != "b" {
			return true, nil, fmt.Errorf("asked for %v", a)
		}
		request, ok := create.Object.(*authenticationv1.TokenRequest)
		if !ok || *request.Spec.ExpirationSeconds != 600 || len(request.Spec.Audiences) != 0 {
			return true, nil, fmt.Errorf("asked for %v", create.Object)
		}
		i.given++
		answer := request.DeepCopy()
		answer.Status.Token = fmt.Sprintf("token-%d", i.given)
		if i.life > 0 {
			answer.Spec.ExpirationSeconds = &i.life
		}
		return true, answer, nil
	})
	return NewTokenSource(client, "a", "b")
}

func expectToken(t *testing.T, s *TokenSource, want string) {
	t.Helper()
	got, err := s.Token(t.Context())
	if err != nil || got != want {
		t.Fatalf("%q, %v; want %q", got, err, want)
	}
}

func TestATokenIsKeptForMostOfItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		s := i.source()
		expectToken(t, s, "token-1")
		time.Sleep(479 * time.Second)
		expectToken(t, s, "token-1")
		time.Sleep(2 * time.Second)
		expectToken(t, s, "token-2")
		// While an old one lives, a failure to renew it does not matter.
		i.set(errors.New("down"))
		time.Sleep(500 * time.Second)
		expectToken(t, s, "token-2")
		time.Sleep(100 * time.Second)
		if got, err := s.Token(t.Context()); err == nil {
			t.Errorf("%q is past its life", got)
		}
		i.set(nil)
		expectToken(t, s, "token-3")
	})
}

func TestAShorterLifeIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := (&issuer{life: 100}).source()
		expectToken(t, s, "token-1")
		time.Sleep(81 * time.Second)
		expectToken(t, s, "token-2")
	})
}

func TestOneRequestForManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{delay: time.Second}
		s := i.source()
		// The first caller gives up: the others still get the token it asked for.
		first, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := s.Token(first); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		for range 10 {
			callers.Go(func() { expectToken(t, s, "token-1") })
		}
		callers.Wait()
		if i.given != 1 {
			t.Errorf("%d requests", i.given)
		}
	})
}

func TestARejectedTokenIsReplacedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := (&issuer{}).source()
		expectToken(t, s, "token-1")
		s.Rejected("token-1")
		expectToken(t, s, "token-1")
		time.Sleep(time.Minute)
		s.Rejected("token-0")
		expectToken(t, s, "token-1")
		s.Rejected("token-1")
		expectToken(t, s, "token-2")
	})
}

func TestWhatTheAPIServerRefuses(t *testing.T) {
	accounts := schema.GroupResource{Resource: "serviceaccounts"}
	tests := map[string]struct {
		err  error
		want Reason
	}{
		"forbidden": {apierrors.NewForbidden(accounts, "b", errors.New("no")), ReasonForbidden},
		"not found": {apierrors.NewNotFound(accounts, "b"), ReasonOther},
	}
	for what, test := range tests {
		i := &issuer{err: test.err}
		_, err := i.source().Token(t.Context())
		if ReasonOf(err) != test.want {
			t.Errorf("%s: %v", what, err)
		}
		t.Log(err)
	}
}
