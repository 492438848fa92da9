// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Nobody checks what clients say of other objects: of an owner reference the API server wants that its parts are not empty
// (apimachinery validateOwnerReference), of what an Event is about hardly that (validation.legacyValidateEvent). Such texts may
// be megabytes long, and as many as one likes. What can't be of any object is not kept, so that it fills no memory and no log,
// and nothing is written about it.
const (
	// maxUID is more than a UUID has, which is what API servers make.
	maxUID = 64
	// maxName bounds names, and is far more than kinds and API versions have.
	maxName = content.DNS1123SubdomainMaxLength
	// maxNamespace bounds names of namespaces.
	maxNamespace = content.DNS1123LabelMaxLength
)

// controllerOf returns what controls an object, of its own memory; nil for nothing, and where that can't be an object.
func controllerOf(object metav1.Object) *metav1.OwnerReference {
	return plausibleOwner(metav1.GetControllerOfNoCopy(object))
}

// plausibleOwner returns what identifies an owner, nil where no object could be it: those that make pods have names of lower
// case letters, digits, '-' and '.'.
func plausibleOwner(owner *metav1.OwnerReference) *metav1.OwnerReference {
	// The length first: the rest takes time for each byte.
	if owner == nil || !plausible(owner.APIVersion, owner.Kind, owner.Name, owner.UID) || len(content.IsDNS1123Subdomain(owner.Name)) > 0 {
		return nil
	}
	return &metav1.OwnerReference{APIVersion: owner.APIVersion, Kind: owner.Kind, Name: owner.Name, UID: owner.UID, Controller: isController}
}

// plausibleReference is about objects whose names somebody has checked already, or that have none yet.
func plausibleReference(ref *corev1.ObjectReference) bool {
	return plausible(ref.APIVersion, ref.Kind, ref.Name, ref.UID) && len(ref.Namespace) <= maxNamespace
}

func plausible(apiVersion, kind, name string, uid types.UID) bool {
	return len(apiVersion) <= maxName && len(kind) <= maxName && len(name) <= maxName && len(uid) <= maxUID
}

// isController is one for all, so that references can be compared.
var isController = new(true)

// clipped is text without what is beyond limit bytes, of its own memory where something is.
func clipped[T ~string](text T, limit int) T {
	if len(text) <= limit {
		return text
	}
	return T(strings.Clone(string(text[:limit])))
}
