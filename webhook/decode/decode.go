// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"errors"
	"reflect"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Review is what is read of an AdmissionReview.
type Review struct {
	// APIVersion is the review's.
	APIVersion string
	// Request has no RequestKind, RequestResource, RequestSubResource, UserInfo and Options. Its raw objects are parts of the
	// text that was read, not copies.
	Request *admissionv1.AdmissionRequest
	// Object and OldObject are the pods in the request's objects, as far as they are needed; nil where nobody asked for pods, and
	// where only the typed decoder can say what is there.
	Object, OldObject *corev1.Pod
	// Typed is set where the typed decoder had to read the review, or will have to read one of its objects.
	Typed bool
}

var (
	reviewShape = mustShape[admissionv1.AdmissionReview](paths(
		"apiVersion", "request.uid", "request.kind", "request.resource", "request.subResource", "request.name", "request.namespace",
		"request.operation", "request.dryRun", "request.object", "request.oldObject",
	))
	podShape = mustShape[corev1.Pod](paths(
		"metadata.name", "metadata.generateName", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.ownerReferences",
		"metadata.annotations.["+corev1.MirrorPodAnnotationKey+"]",
		"spec.nodeName", "spec.nodeSelector", "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
		"spec.tolerations", "spec.os", "spec.priorityClassName", "spec.schedulingGates", "spec.overhead", "spec.resources.requests",
		"spec.volumes.image",
		"spec.initContainers.image", "spec.initContainers.imagePullPolicy", "spec.initContainers.restartPolicy",
		"spec.initContainers.resources.requests",
		"spec.containers.image", "spec.containers.imagePullPolicy", "spec.containers.resources.requests",
		"spec.ephemeralContainers.image", "spec.ephemeralContainers.imagePullPolicy",
	))
	bindingShape = mustShape[corev1.Binding](paths("metadata.name", "metadata.namespace", "metadata.uid", "target.kind", "target.name"))
)

// ErrNoRequest says that there is nothing that could be answered.
var ErrNoRequest = errors.New("request.uid is missing")

// Any reads an AdmissionReview.
func Any(body []byte) (Review, error) { return review(body, nil) }

// Pods reads an AdmissionReview of pods.
func Pods(body []byte) (Review, error) { return review(body, podShape) }

func review(body []byte, within *shape) (Review, error) {
	read, sure := quick(body, within)
	if !sure {
		var typed admissionv1.AdmissionReview
		if err := utiljson.Unmarshal(body, &typed); err != nil {
			return Review{}, err
		}
		read = Review{APIVersion: typed.APIVersion, Request: typed.Request, Typed: true}
	}
	if read.Request == nil || read.Request.UID == "" {
		return Review{}, ErrNoRequest
	}
	return read, nil
}

// quick reports whether it is sure of what it read.
func quick(body []byte, within *shape) (read Review, sure bool) {
	var review admissionv1.AdmissionReview
	r := reader{scanner: scanner{data: body}, within: within}
	if !r.all(reviewShape, reflect.ValueOf(&review).Elem()) {
		return Review{}, false
	}
	read = Review{APIVersion: review.APIVersion, Request: review.Request}
	for _, is := range r.read {
		pod, _ := reflect.TypeAssert[*corev1.Pod](is.value)
		switch is.of {
		case &review.Request.Object:
			read.Object = pod
		case &review.Request.OldObject:
			read.OldObject = pod
		}
	}
	if req := read.Request; req != nil && within != nil {
		read.Typed = read.Object == nil && req.Object.Raw != nil || read.OldObject == nil && req.OldObject.Raw != nil
	}
	return read, true
}

// Binding reads the names in a binding: whose it is, and of which node.
func Binding(raw []byte) (*corev1.Binding, error) {
	var read, typed corev1.Binding
	r := reader{scanner: scanner{data: raw}}
	if r.all(bindingShape, reflect.ValueOf(&read).Elem()) {
		return &read, nil
	}
	return &typed, utiljson.Unmarshal(raw, &typed)
}
