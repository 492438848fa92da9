// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// reviewSource is an admission review out of a file: one request, to be judged as the webhook would.
type reviewSource struct {
	document document
	review   *admissionv1.AdmissionReview
	// then is what was known when it was answered, of a recording; nil in a review without.
	then *moment
}

// reviewIn reads an AdmissionReview or a recording of one. found is false for everything else.
func reviewIn(object []byte) (source reviewSource, found bool, err error) {
	var head metav1.TypeMeta
	if err := json.Unmarshal(object, &head); err != nil {
		return reviewSource{}, false, nil //nolint:nilerr // whoever reads objects says what is wrong
	}
	kind := head.GroupVersionKind()
	switch {
	case kind.Kind == recordingKind && kind.Group == schema.FromAPIVersionAndKind(recordingAPIVersion, "").Group:
		source.review, source.then, err = readRecording(object)
	case kind.Kind == "AdmissionReview" && kind.Group == admissionv1.GroupName:
		source.review = &admissionv1.AdmissionReview{}
		err = wrongReview(json.Unmarshal(object, source.review))
	default:
		return reviewSource{}, false, nil
	}
	if err == nil {
		err = complete(source.review)
	}
	return source, true, err
}

func wrongReview(err error) error {
	if err == nil {
		return nil
	}
	return wrongType(err)
}

// complete says what a review lacks, and puts in what only an answer needs.
func complete(review *admissionv1.AdmissionReview) error {
	req := review.Request
	switch {
	case review.APIVersion != admissionv1.SchemeGroupVersion.String():
		return fmt.Errorf("an AdmissionReview of %s: only %s is known", review.APIVersion, admissionv1.SchemeGroupVersion)
	case req == nil:
		return errors.New("an AdmissionReview without a request: what was asked is what the API server posted, not what it was answered")
	case req.Kind.Kind == "" || req.Resource.Resource == "" || req.Operation == "":
		return errors.New("an AdmissionReview whose request lacks kind, resource or operation: without these nobody knows what is asked")
	case req.Operation != admissionv1.Delete && len(req.Object.Raw) == 0:
		return errors.New("an AdmissionReview whose request lacks the object: there is nothing to judge")
	}
	if req.UID == "" {
		req.UID = "check"
	}
	return nil
}

// podsIn are what a review's object brings, as far as it says so itself.
func (s *reviewSource) podsIn() []podSource {
	req := s.review.Request
	found, err := contentOfObject(schema.GroupVersionKind(req.Kind), req.Object.Raw, req.Namespace)
	if err != nil {
		return nil // The answer says so.
	}
	return found.pods
}

// request names what was asked: "UPDATE pods/ephemeralcontainers".
func (s *reviewSource) request() string {
	req := s.review.Request
	text := string(req.Operation) + " " + req.Resource.Resource
	if req.SubResource != "" {
		text += "/" + req.SubResource
	}
	return text
}
