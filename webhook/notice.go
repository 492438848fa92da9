// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// Notice is what was said about an object, for whoever repeats it where the answer to the request gets lost.
type Notice struct {
	// APIVersion, Kind, Namespace, Name and UID are the object's. Name is empty where the API server makes it up later.
	APIVersion, Kind, Namespace, Name string
	UID                               types.UID
	// Controller is what made the object, nil for nobody.
	Controller *metav1.OwnerReference
	// Action is Warn or Deny, also where nobody was shown a warning.
	Action  fit.Action
	Verdict verdict.Verdict
	Mode    policy.Mode
	// Message is the sentence.
	Message string
}

func noticeOf(kind *metav1.GroupVersionKind, object metav1.Object, d fit.Decision) *Notice {
	return &Notice{
		APIVersion: schema.GroupVersion{Group: kind.Group, Version: kind.Version}.String(), Kind: kind.Kind,
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(),
		Controller: metav1.GetControllerOfNoCopy(object),
		Action:     d.Action, Verdict: d.Verdict, Mode: d.Mode, Message: sentence(d),
	}
}
