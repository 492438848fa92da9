// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// taintRightAgain is how long a right that is missing is taken to be missing before the API server is asked again.
const taintRightAgain = time.Minute

// taintRight knows whether this process may patch nodes. It asks, by a SelfSubjectAccessReview, which system:basic-user lets
// everyone do: the refusal of a patch may be an admission webhook's and about that node alone, and would come only after a
// binding was sent back in vain.
type taintRight struct {
	client kubernetes.Interface
	// steers reports whether anybody wants bindings to be sent back; without, a missing right is nothing to speak of.
	steers func() bool
	// granted is called when the right is there that was not, or not known of.
	granted func()
	log     logr.Logger

	there   atomic.Bool
	doubted chan struct{} // holds one
}

// has reports whether the right is there. It is not before run has asked, and is where the API server never gave an answer.
func (r *taintRight) has() bool { return r.there.Load() }

// doubt has the API server asked again soon: it has refused something.
func (r *taintRight) doubt() {
	select {
	case r.doubted <- struct{}{}:
	default:
	}
}

// run asks at once, whenever there is doubt, and each minute while the right is missing, until ctx ends.
func (r *taintRight) run(ctx context.Context) {
	told, missing := false, false
	for ctx.Err() == nil {
		missing = r.missing(ctx, missing)
		if !missing && !r.there.Swap(true) {
			r.granted()
		}
		r.there.Store(!missing)
		switch {
		case missing && !told && r.steers():
			told = true
			r.log.Info("No binding is sent back: the right to put soft taints is missing. Grant patch on nodes, or set steer: Off")
		case !missing && told:
			told = false
			r.log.Info("Bindings may be sent back again: the right to put soft taints is there")
		}
		if missing {
			sleep(ctx, taintRightAgain)
		} else {
			select {
			case <-ctx.Done():
			case <-r.doubted:
			}
		}
	}
}

// missing asks. Where it gets no answer it reports what was so before, at first false: what is written then tells.
func (r *taintRight) missing(ctx context.Context, before bool) bool {
	ctx, cancel := context.WithTimeout(ctx, taintTimeout)
	defer cancel()
	review, err := r.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "patch", Resource: "nodes"}},
	}, metav1.CreateOptions{})
	if err != nil {
		return before
	}
	return !review.Status.Allowed
}
