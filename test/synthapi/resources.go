// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resource is a kind of object that is served.
type resource struct {
	schema.GroupVersion

	name, kind string
	namespaced bool
	// reviewOnly are those that are answered and never kept.
	reviewOnly bool
}

func (r *resource) apiVersion() string { return r.String() }

func (r *resource) gvk() schema.GroupVersionKind { return r.WithKind(r.kind) }

func (r *resource) groupResource() schema.GroupResource {
	return r.WithResource(r.name).GroupResource()
}

// served are all resources there are: what `headroom serve` and the commands ask for.
var served = []resource{
	{GroupVersion: corev1.SchemeGroupVersion, name: Nodes, kind: "Node"},
	{GroupVersion: corev1.SchemeGroupVersion, name: Pods, kind: "Pod", namespaced: true},
	{GroupVersion: corev1.SchemeGroupVersion, name: "namespaces", kind: "Namespace"},
	{GroupVersion: corev1.SchemeGroupVersion, name: "configmaps", kind: "ConfigMap", namespaced: true},
	{GroupVersion: corev1.SchemeGroupVersion, name: "secrets", kind: "Secret", namespaced: true},
	{GroupVersion: corev1.SchemeGroupVersion, name: "events", kind: "Event", namespaced: true},
	{GroupVersion: corev1.SchemeGroupVersion, name: "services", kind: "Service", namespaced: true},
	{GroupVersion: corev1.SchemeGroupVersion, name: "serviceaccounts", kind: "ServiceAccount", namespaced: true},
	{GroupVersion: coordinationv1.SchemeGroupVersion, name: "leases", kind: "Lease", namespaced: true},
	{GroupVersion: appsv1.SchemeGroupVersion, name: "deployments", kind: "Deployment", namespaced: true},
	{GroupVersion: appsv1.SchemeGroupVersion, name: "replicasets", kind: "ReplicaSet", namespaced: true},
	{GroupVersion: appsv1.SchemeGroupVersion, name: "statefulsets", kind: "StatefulSet", namespaced: true},
	{GroupVersion: appsv1.SchemeGroupVersion, name: "daemonsets", kind: "DaemonSet", namespaced: true},
	{GroupVersion: batchv1.SchemeGroupVersion, name: "jobs", kind: "Job", namespaced: true},
	{GroupVersion: admissionregistrationv1.SchemeGroupVersion, name: "validatingwebhookconfigurations", kind: "ValidatingWebhookConfiguration"},
	{GroupVersion: authorizationv1.SchemeGroupVersion, name: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview", reviewOnly: true},
}

// Nodes and Pods are the resources that are generated.
const (
	Nodes = "nodes"
	Pods  = "pods"
)

// apiResources is what discovery tells of a group's version.
func apiResources(version schema.GroupVersion) (list metav1.APIResourceList) {
	list.TypeMeta = metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}
	list.GroupVersion = version.String()
	for i := range served {
		r := &served[i]
		if r.GroupVersion != version {
			continue
		}
		verbs := metav1.Verbs{"create", "delete", "get", "list", "update", "watch"}
		if r.reviewOnly {
			verbs = metav1.Verbs{"create"}
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: r.name, Kind: r.kind, Namespaced: r.namespaced, Verbs: verbs})
	}
	return list
}

// apiGroups is what discovery tells of all groups but the core.
func apiGroups() (list metav1.APIGroupList) {
	list.TypeMeta = metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}
	seen := map[string]bool{"": true}
	for i := range served {
		if group := served[i].Group; !seen[group] {
			seen[group] = true
			version := metav1.GroupVersionForDiscovery{GroupVersion: served[i].apiVersion(), Version: served[i].Version}
			list.Groups = append(list.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version})
		}
	}
	return list
}
