// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/policy"
)

const (
	// PodsWebhookName names the webhook: it is the prefix of the audit annotations, and users read it in refusals.
	PodsWebhookName = "pods.headroom.dev"
	// WorkloadsWebhookName, BindingsWebhookName and PolicyWebhookName name the webhooks for templates, for pods whose node has
	// been chosen, and for what admins set.
	WorkloadsWebhookName = "workloads.headroom.dev"
	BindingsWebhookName  = "bindings.headroom.dev"
	PolicyWebhookName    = "policy.headroom.dev"
	// PodsPath and so on are where the API server posts the reviews of each.
	PodsPath      = "/validate-pods"
	WorkloadsPath = "/validate-workloads"
	BindingsPath  = "/validate-bindings"
	PolicyPath    = "/validate-policy"
	// ConfigurationName names the ValidatingWebhookConfiguration of the manifests.
	ConfigurationName = "headroom"
)

// PodsWebhook is the entry of a ValidatingWebhookConfiguration for pods. The manifests hold the same in YAML.
//
// It has no matchConditions, though one could keep mirror pods and requests of nodes away cheaply: those are to be admitted
// and to be annotated as exempt, so that the audit log never leaves open whether a pod was looked at. Nearly all of them are
// in kube-system, which the selector leaves out, as it does Headroom's own namespace: it must be able to start.
//
// Two seconds are far more than an answer from memory takes, and short enough that a pod's creation hardly suffers from a
// Headroom that hangs. Every field that the API server would default is set, so that reading one back gives the same.
func PodsWebhook(client admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name:         PodsWebhookName,
		ClientConfig: client,
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule: admissionregistrationv1.Rule{
				APIGroups:   []string{corev1.GroupName},
				APIVersions: []string{corev1.SchemeGroupVersion.Version},
				Resources:   []string{"pods"},
				Scope:       new(admissionregistrationv1.NamespacedScope),
			},
		}},
		FailurePolicy: new(admissionregistrationv1.Ignore),
		MatchPolicy:   new(admissionregistrationv1.Equivalent),
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key:      corev1.LabelMetadataName,
			Operator: metav1.LabelSelectorOpNotIn,
			Values:   []string{policy.Namespace, metav1.NamespaceSystem},
		}}},
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          new(int32(2)),
		AdmissionReviewVersions: []string{admissionv1.SchemeGroupVersion.Version},
	}
}
