// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headroom-dev/headroom/policy"
)

// The webhooks' names. They are the prefixes of audit annotations, and users read them in refusals.
const (
	PodsWebhookName      = "pods.headroom.dev"      // pods: the only one that may refuse for want of room
	WorkloadsWebhookName = "workloads.headroom.dev" // templates
	BindingsWebhookName  = "bindings.headroom.dev"  // pods whose node has been chosen
	PolicyWebhookName    = "policy.headroom.dev"    // what admins set
)

// Where the API server posts the reviews of each.
const (
	PodsPath      = "/validate-pods"
	WorkloadsPath = "/validate-workloads"
	BindingsPath  = "/validate-bindings"
	PolicyPath    = "/validate-policy"
)

// ConfigurationName names the ValidatingWebhookConfiguration of the manifests.
const ConfigurationName = "headroom"

// What rules ask for.
var (
	create         = []admissionregistrationv1.OperationType{admissionregistrationv1.Create}
	update         = []admissionregistrationv1.OperationType{admissionregistrationv1.Update}
	createOrUpdate = []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update}
	anyChange      = []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete}
)

// Webhooks are the entries of Headroom's ValidatingWebhookConfiguration. client says how the API server reaches a path. The
// manifests hold the same in YAML.
//
// Two seconds are far more than an answer from memory takes, and short enough that a request hardly suffers from a Headroom
// that hangs. Side effects are Events and taints, which dry runs don't lead to. Every field that the API server would default
// is set, so that reading one back gives the same.
func Webhooks(client func(path string) admissionregistrationv1.WebhookClientConfig) []admissionregistrationv1.ValidatingWebhook {
	return []admissionregistrationv1.ValidatingWebhook{
		podsWebhook(client(PodsPath)),
		workloadsWebhook(client(WorkloadsPath)),
		bindingsWebhook(client(BindingsPath)),
		policyWebhook(client(PolicyPath)),
	}
}

// podsWebhook is about pods: when they are made, and when an update changes their images or their node. Of the subresources
// only ephemeralcontainers brings images along; others are not asked for, which is the cheapest way of ignoring them.
func podsWebhook(client admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.ValidatingWebhook {
	w := entry(PodsWebhookName, client, podChangesImagesOrNode, notByANode)
	w.Rules = []admissionregistrationv1.RuleWithOperations{
		namespaced(corev1.SchemeGroupVersion, createOrUpdate, "pods", "pods/ephemeralcontainers"),
	}
	return w
}

// workloadsWebhook is about what makes pods from a template, and about how many it makes: kubectl scale and autoscalers change
// that through a subresource. Admins add the resources of their own kinds to its rules.
func workloadsWebhook(client admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.ValidatingWebhook {
	w := entry(WorkloadsWebhookName, client, workloadChangesPods, notByANode)
	w.Rules = []admissionregistrationv1.RuleWithOperations{
		namespaced(appsv1.SchemeGroupVersion, createOrUpdate, "deployments", "statefulsets", "daemonsets", "replicasets"),
		namespaced(corev1.SchemeGroupVersion, createOrUpdate, "replicationcontrollers", "podtemplates"),
		namespaced(batchv1.SchemeGroupVersion, createOrUpdate, "jobs", "cronjobs"),
		namespaced(appsv1.SchemeGroupVersion, update, "deployments/scale", "statefulsets/scale", "replicasets/scale"),
		namespaced(corev1.SchemeGroupVersion, update, "replicationcontrollers/scale"),
	}
	return w
}

// bindingsWebhook is about a pod's node, in the two ways that a scheduler may name it.
func bindingsWebhook(client admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.ValidatingWebhook {
	w := entry(BindingsWebhookName, client)
	w.Rules = []admissionregistrationv1.RuleWithOperations{
		namespaced(corev1.SchemeGroupVersion, create, "pods/binding", "bindings"),
	}
	return w
}

// policyWebhook is about what admins set. It alone covers Headroom's own namespace, and there one ConfigMap only.
func policyWebhook(client admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.ValidatingWebhook {
	w := entry(PolicyWebhookName, client, policyOrLabels)
	namespaces := namespaced(corev1.SchemeGroupVersion, createOrUpdate, "namespaces")
	namespaces.Scope = new(admissionregistrationv1.ClusterScope)
	w.Rules = []admissionregistrationv1.RuleWithOperations{
		namespaced(corev1.SchemeGroupVersion, anyChange, "configmaps"),
		namespaces,
	}
	w.NamespaceSelector = &metav1.LabelSelector{}
	w.SideEffects = new(admissionregistrationv1.SideEffectClassNone)
	return w
}

// unasked are the namespaces that are left out: Headroom's own and the cluster's, which must be able to start.
func unasked() []string { return []string{policy.Namespace, metav1.NamespaceSystem} }

// neverJudged reports whether the API server asks about no pod of the namespace.
func neverJudged(namespace string) bool { return slices.Contains(unasked(), namespace) }

// entry is what the webhooks have in common.
func entry(name string, client admissionregistrationv1.WebhookClientConfig, conditions ...admissionregistrationv1.MatchCondition) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name:          name,
		ClientConfig:  client,
		FailurePolicy: new(admissionregistrationv1.Ignore),
		MatchPolicy:   new(admissionregistrationv1.Equivalent),
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key:      corev1.LabelMetadataName,
			Operator: metav1.LabelSelectorOpNotIn,
			Values:   unasked(),
		}}},
		ObjectSelector:          &metav1.LabelSelector{},
		MatchConditions:         conditions,
		SideEffects:             new(admissionregistrationv1.SideEffectClassNoneOnDryRun),
		TimeoutSeconds:          new(int32(2)),
		AdmissionReviewVersions: []string{admissionv1.SchemeGroupVersion.Version},
	}
}

func namespaced(version schema.GroupVersion, operations []admissionregistrationv1.OperationType, resources ...string) admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: operations,
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{version.Group}, APIVersions: []string{version.Version}, Resources: resources,
			Scope: new(admissionregistrationv1.NamespacedScope),
		},
	}
}
