// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/verdict"
)

// Notice is what was said about an object, for whoever repeats it where the answer to the request gets lost.
type Notice struct {
	// APIVersion, Kind, Namespace, Name and UID are the object's. Name is empty where the API server makes it up later.
	APIVersion, Kind, Namespace, Name string
	UID                               types.UID
	// Controller is what the object says made it, nil for nobody. Nobody has checked it, or how long its parts are.
	Controller *metav1.OwnerReference
	// Operation and SubResource are the request's.
	Operation   admissionv1.Operation
	SubResource string
	// Action is Warn or Deny, also where nobody was shown a warning.
	Action  fit.Action
	Verdict verdict.Verdict
	// Images stands for the images that were judged: a short text, equal for the pods of one template.
	Images string
	// Message is the sentence.
	Message string
}

// noticeOf copies the one owner reference, as a pointer to it would hold all of the object's.
func noticeOf(req *admissionv1.AdmissionRequest, about subject, d fit.Decision) *Notice {
	object := about.object
	n := &Notice{
		APIVersion: about.kind.GroupVersion().String(), Kind: about.kind.Kind,
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(),
		Controller: metav1.GetControllerOf(object), Operation: req.Operation, SubResource: req.SubResource,
		Action: d.Action, Verdict: d.Verdict, Images: digestOf(about.images), Message: sentence(d),
	}
	// The request names the namespace that counts; in the object it may be missing.
	if req.Namespace != "" {
		n.Namespace = req.Namespace
	}
	return n
}

// digestOf is equal for equal images, whatever their order.
func digestOf(images []imageref.Image) string {
	names := make([]string, 0, len(images))
	for i := range images {
		names = append(names, images[i].Ref.String())
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return hex.EncodeToString(sum[:8])
}
