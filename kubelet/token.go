// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// tokenSeconds is the shortest life the API server grants.
	tokenSeconds = 600
	// tokenTimeout bounds one TokenRequest.
	tokenTimeout = 10 * time.Second
	// rejectedAfter is how old a token must be for a 401 to make a new one: a
	// kubelet that accepts none must not turn every poll into a TokenRequest.
	rejectedAfter = time.Minute
)

// TokenSource makes short-lived tokens of one ServiceAccount by TokenRequest,
// for the API server's own audience, and keeps each for 80 % of its life.
type TokenSource struct {
	client          kubernetes.Interface
	namespace, name string
	now             func() time.Time
	flight          singleflight.Group

	mu      sync.Mutex // guards the rest
	token   string
	made    time.Time
	renewAt time.Time
	expires time.Time
}

// NewTokenSource returns a source of tokens of a ServiceAccount. The client
// needs "create serviceaccounts/token" for it.
func NewTokenSource(client kubernetes.Interface, namespace, name string) *TokenSource {
	//nolint:forbidigo // A clock has to start somewhere; tests bend time itself.
	return &TokenSource{client: client, namespace: namespace, name: name, now: time.Now}
}

// Subject names the ServiceAccount in sentences.
func (s *TokenSource) Subject() string {
	return `ServiceAccount "` + s.namespace + "/" + s.name + `"`
}

// Token returns a token that is good for two more minutes or longer. Calls at
// once share one request, and one of them that gives up does not end it for
// the others. While the old token lives, a failure to renew it is no error.
func (s *TokenSource) Token(ctx context.Context) (string, error) {
	token, state := s.cached(s.now())
	if state == fresh {
		return token, nil
	}
	result := s.flight.DoChan("", func() (any, error) {
		// The flight before may have brought one between our look and this call.
		if token, state := s.cached(s.now()); state == fresh {
			return token, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
		defer cancel()
		return s.request(ctx)
	})
	select {
	case <-ctx.Done():
		if state == aging {
			return token, nil
		}
		return "", ctx.Err()
	case r := <-result:
		if r.Err != nil {
			if token, state := s.cached(s.now()); state == aging {
				return token, nil
			}
			return "", r.Err
		}
		made, _ := r.Val.(string)
		return made, nil
	}
}

// Rejected tells that a kubelet did not accept a token. If it is the current
// one, the next call makes a new one: the ServiceAccount may have been created
// anew under the same name.
func (s *TokenSource) Rejected(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token && s.now().Sub(s.made) >= rejectedAfter {
		s.token = ""
	}
}

type tokenState int

const (
	none  tokenState = iota
	aging            // past 80 % of its life, still good
	fresh
)

func (s *TokenSource) cached(now time.Time) (string, tokenState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.token == "" || !now.Before(s.expires):
		return "", none
	case now.Before(s.renewAt):
		return s.token, fresh
	default:
		return s.token, aging
	}
}

func (s *TokenSource) request(ctx context.Context) (string, error) {
	// A life is counted from before the request by this machine's clock alone: it may differ from the API server's.
	asked := s.now()
	answer, err := s.client.CoreV1().ServiceAccounts(s.namespace).CreateToken(ctx, s.name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenSeconds))},
	}, metav1.CreateOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return "", failure(ReasonForbidden, err, "the API server gives no token of %s: grant %q on it", s.Subject(), "create serviceaccounts/token")
	case apierrors.IsNotFound(err):
		return "", failure(ReasonOther, err, "there is no %s: apply Headroom's manifests", s.Subject())
	case err != nil:
		return "", err
	case answer.Status.Token == "":
		return "", failure(ReasonOther, nil, "the API server's answer to a TokenRequest for %s has no token", s.Subject())
	}
	life := tokenSeconds * time.Second
	if granted := answer.Spec.ExpirationSeconds; granted != nil && *granted > 0 && *granted < tokenSeconds {
		life = time.Duration(*granted) * time.Second
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.made = answer.Status.Token, asked
	s.renewAt, s.expires = asked.Add(life*8/10), asked.Add(life)
	return s.token, nil
}
