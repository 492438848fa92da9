// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package review

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TargetBytes is the size of every body, give or take a few bytes: what the targets are about.
const TargetBytes = 6400

// What a template has in place of UIDs. They are as long as those.
const (
	requestUID = "aaaaaaaa-0000-4000-8000-aaaaaaaaaaaa"
	objectUID  = "bbbbbbbb-0000-4000-8000-bbbbbbbbbbbb"
)

// digits is how many of the last ones of a UID are its number.
const digits = 12

// template is a body without UIDs of its own.
type template struct {
	body []byte
	// request and object are where the numbers of the UIDs are.
	request, object int
}

// Bodies makes bodies. It is safe for concurrent use.
type Bodies struct {
	templates []template
}

// New returns bodies of typical pods with these images. It brings each to TargetBytes by an annotation.
func New(images []string) (*Bodies, error) {
	if len(images) == 0 {
		return nil, errors.New("bodies of reviews need images")
	}
	return Of(Pods(images)...)
}

// Of returns bodies of these pods, brought to TargetBytes in the same way. It gives each pod a UID.
func Of(pods ...*corev1.Pod) (*Bodies, error) {
	b := &Bodies{}
	for _, pod := range pods {
		t, err := templateOf(pod)
		if err != nil {
			return nil, err
		}
		b.templates = append(b.templates, t)
	}
	return b, nil
}

func templateOf(object *corev1.Pod) (template, error) {
	object.UID = objectUID
	body, err := encode(object)
	if err != nil {
		return template{}, err
	}
	const padding = "shop.example.com/padding"
	if missing := TargetBytes - len(body) - len(padding) - len(`"":"",`); missing > 0 {
		metav1.SetMetaDataAnnotation(&object.ObjectMeta, padding, string(bytes.Repeat([]byte{'x'}, missing)))
		if body, err = encode(object); err != nil {
			return template{}, err
		}
	}
	t := template{body: body}
	for uid, at := range map[string]*int{requestUID: &t.request, objectUID: &t.object} {
		if n := bytes.Count(body, []byte(uid)); n != 1 {
			return template{}, fmt.Errorf("the template has %d times the UID %s, want one", n, uid)
		}
		*at = bytes.Index(body, []byte(uid)) + len(uid) - digits
	}
	return t, nil
}

// encode is the review of the pod's creation, as the API server's encoder for webhooks writes it.
func encode(pod *corev1.Pod) ([]byte, error) {
	raw, err := json.Marshal(pod)
	if err != nil {
		return nil, fmt.Errorf("encode the pod: %w", err)
	}
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	resource := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	return json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: requestUID, Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Name: pod.Name, Namespace: pod.Namespace, Operation: admissionv1.Create,
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:kube-system:replicaset-controller", UID: "c0ffee00-1111-4222-8333-444455556666",
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
			},
			Object: runtime.RawExtension{Raw: raw}, DryRun: new(false),
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}`)},
		},
	})
}

// Append appends body n to buf. Bodies of other numbers have other UIDs; templates take turns.
func (b *Bodies) Append(buf []byte, n uint64) []byte {
	t := &b.templates[n%uint64(len(b.templates))]
	start := len(buf)
	buf = append(buf, t.body...)
	number(buf[start+t.request:], n)
	number(buf[start+t.object:], n)
	return buf
}

// UID is the request's UID in body n.
func UID(n uint64) string {
	uid := []byte(requestUID)
	number(uid[len(uid)-digits:], n)
	return string(uid)
}

// number writes n in hexadecimal, all its digits.
func number(at []byte, n uint64) {
	var text [16]byte
	hex := strconv.AppendUint(text[:0], n, 16)
	for i := range digits {
		at[i] = '0'
	}
	if extra := len(hex) - digits; extra > 0 {
		hex = hex[extra:]
	}
	copy(at[digits-len(hex):digits], hex)
}
