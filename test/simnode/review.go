// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
)

// defaultAuthCacheTTL is shorter than a kubelet's, so that a change of RBAC shows soon.
const defaultAuthCacheTTL = 10 * time.Second

// maxReviews bounds each cache; one that is full starts anew.
const maxReviews = 10_000

// reviewer asks the API server who somebody is and what they may do, and keeps
// the answers for a while.
type reviewer struct {
	client kubernetes.Interface
	ttl    time.Duration
	clock  clock.PassiveClock

	// mu guards users and rights.
	mu     sync.Mutex
	users  map[string]cached[userAnswer]
	rights map[string]cached[bool]
}

type cached[T any] struct {
	value T
	until time.Time
}

type userAnswer struct {
	user authenticationv1.UserInfo
	ok   bool
}

func newReviewer(client kubernetes.Interface, ttl time.Duration, c clock.PassiveClock) *reviewer {
	if ttl == 0 {
		ttl = defaultAuthCacheTTL
	}
	return &reviewer{client: client, ttl: ttl, clock: c, users: map[string]cached[userAnswer]{}, rights: map[string]cached[bool]{}}
}

// authenticate says whose token it is; ok is false for one that nobody knows.
func (r *reviewer) authenticate(ctx context.Context, token string) (user authenticationv1.UserInfo, ok bool, err error) {
	sum := sha256.Sum256([]byte(token))
	key := hex.EncodeToString(sum[:])
	if a, found := lookup(r, r.users, key); found {
		return a.user, a.ok, nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	review, err := r.client.AuthenticationV1().TokenReviews().Create(ctx,
		&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, false, fmt.Errorf("token review: %w", err)
	}
	a := userAnswer{user: review.Status.User, ok: review.Status.Authenticated}
	keep(r, r.users, key, a)
	return a.user, a.ok, nil
}

// authorize says whether a user may do something with a subresource of a node.
func (r *reviewer) authorize(ctx context.Context, user authenticationv1.UserInfo, verb, node, subresource string) (bool, error) {
	key := strings.Join(append([]string{user.Username, user.UID, verb, node, subresource}, user.Groups...), "\x00")
	if allowed, found := lookup(r, r.rights, key); found {
		return allowed, nil
	}
	spec := authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: map[string]authorizationv1.ExtraValue{},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Version: "v1", Resource: "nodes", Subresource: subresource, Name: node},
	}
	for k, v := range user.Extra {
		spec.Extra[k] = authorizationv1.ExtraValue(v)
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	review, err := r.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("subject access review: %w", err)
	}
	keep(r, r.rights, key, review.Status.Allowed)
	return review.Status.Allowed, nil
}

func lookup[T any](r *reviewer, m map[string]cached[T], key string) (value T, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, found := m[key]
	if !found || !r.clock.Now().Before(c.until) {
		return value, false
	}
	return c.value, true
}

func keep[T any](r *reviewer, m map[string]cached[T], key string, value T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(m) >= maxReviews {
		clear(m)
	}
	m[key] = cached[T]{value: value, until: r.clock.Now().Add(r.ttl)}
}
