// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// forbidden finds who may not do what in the API server's message, the only place where it says so
// (k8s.io/apiserver/pkg/endpoints/handlers/responsewriters.ForbiddenStatusError).
var forbidden = regexp.MustCompile(`User "([^"]*)" cannot (\w+) resource "([^"]*)" in API group "([^"]*)"(?: in the namespace "([^"]*)")?`)

// MissingPermission returns one sentence that says which verb on which resource is missing and who needs it, and whether
// err is a refusal at all. Others than the authorizer refuse, too, such as admission webhooks; their text is passed on.
func MissingPermission(err error) (sentence string, missing bool) {
	if !apierrors.IsForbidden(err) {
		return "", false
	}
	match := forbidden.FindStringSubmatch(err.Error())
	if match == nil {
		return "the API server refuses it: " + err.Error(), true
	}
	user, verb, resource, group, namespace := match[1], match[2], match[3], match[4], match[5]
	if group != "" {
		resource += "." + group
	}
	scope := "at cluster scope"
	if namespace != "" {
		scope = fmt.Sprintf("in namespace %q", namespace)
	}
	who := fmt.Sprintf("user %q", user)
	if account, found := strings.CutPrefix(user, "system:serviceaccount:"); found {
		who = "ServiceAccount " + strings.Replace(account, ":", "/", 1)
	}
	return fmt.Sprintf("cannot %s %s %s: %s needs %s on %s", verb, resource, scope, who, verb, resource), true
}

// watchState remembers why a resource can't be watched, so that it is logged once and not at each retry.
type watchState struct {
	resource string
	// down is true while reason is not empty. It keeps the path of every event free of the mutex.
	down   atomic.Bool
	mu     sync.Mutex
	reason string      // guarded by mu
	log    klog.Logger // guarded by mu
}

// handle is a cache.WatchErrorHandlerWithContext. The reflector calls it at every failed list or watch and retries with
// a growing delay of up to 30 seconds.
func (w *watchState) handle(ctx context.Context, _ *cache.Reflector, err error) {
	var reason string
	switch sentence, missing := MissingPermission(err); {
	case missing:
		reason = sentence
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err), apierrors.IsTooManyRequests(err), errors.Is(err, io.EOF):
		// The watch closed as watches do; the reflector lists again.
		return
	case apierrors.IsUnauthorized(err):
		reason = fmt.Sprintf("cannot watch %s: the API server does not accept the credentials", w.resource)
	case err == nil:
		return
	default:
		// Without the error's text, which names a different local port each time.
		reason = fmt.Sprintf("cannot watch %s: the API server can't be reached or answers with an error", w.resource)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason == reason {
		return
	}
	w.reason, w.log = reason, klog.FromContext(ctx)
	w.down.Store(true)
	w.log.Error(err, "Watch failed, retrying", "resource", w.resource, "reason", reason)
}

// recovered is called at each event, which proves that the watch works.
func (w *watchState) recovered() {
	if !w.down.Load() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason != "" {
		w.log.Info("Watch works again", "resource", w.resource)
	}
	w.reason = ""
	w.down.Store(false)
}

// problem returns why the resource can't be watched, "" where nothing is known to be wrong.
func (w *watchState) problem() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}
