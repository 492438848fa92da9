// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook"
)

const manifests = "../../manifests/"

// rendered is what `kubectl apply -k` would apply, by kind and name.
func rendered(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for text := range strings.SplitSeq(kubectl(t, "kustomize", manifests+folder), "\n---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Namespace, Name string }
		}
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		name := object.Metadata.Name
		if object.Metadata.Namespace != "" {
			name = object.Metadata.Namespace + "/" + name
		}
		all[object.Kind+" "+name] = text
	}
	return all
}

func decode[T any](t *testing.T, text string) *T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return &object
}

func TestManifestsRender(t *testing.T) {
	identity := []string{
		"Namespace headroom-system", "ServiceAccount headroom-system/headroom", "ServiceAccount headroom-system/headroom-kubelet-reader",
		"ClusterRole headroom", "ClusterRole headroom-kubelet-reader", "ClusterRoleBinding headroom", "ClusterRoleBinding headroom-kubelet-reader",
		"Role headroom-system/headroom", "RoleBinding headroom-system/headroom",
		"ValidatingAdmissionPolicy headroom-taints", "ValidatingAdmissionPolicyBinding headroom-taints",
		"Role kube-system/headroom-autoscaler", "RoleBinding kube-system/headroom-autoscaler",
	}
	for folder, more := range map[string][]string{
		"identity": nil,
		"dev":      {"ClusterRole headroom-out-of-cluster", "ClusterRoleBinding headroom-out-of-cluster"},
		"base": {
			"ClusterRole headroom-webhook", "ClusterRoleBinding headroom-webhook", "ConfigMap headroom-system/headroom-policy", "Deployment headroom-system/headroom",
			"PodDisruptionBudget headroom-system/headroom", "Service headroom-system/headroom", "ValidatingWebhookConfiguration headroom",
		},
	} {
		t.Run(folder, func(t *testing.T) {
			want, got := map[string]bool{}, map[string]bool{}
			for _, name := range append(more, identity...) {
				want[name] = true
			}
			for name := range rendered(t, folder) {
				got[name] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			_, stderr, err := shared.plane.Kubectl(t.Context(), "apply", "--dry-run=server", "-k", manifests+folder)
			if err != nil || stderr != "" {
				t.Errorf("the API server says %v %q, want nothing", err, stderr)
			}
		})
	}
}

// TestDeploymentsPod asks the API server for the very pod that the Deployment
// will make, in a namespace that enforces the strictest Pod Security.
func TestDeploymentsPod(t *testing.T) {
	deployment := decode[appsv1.Deployment](t, rendered(t, "base")["Deployment headroom-system/headroom"])
	pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
	pod.APIVersion, pod.Kind, pod.Name, pod.Namespace = "v1", "Pod", "headroom-x", "headroom-system"
	if stderr, err := dryRun(t, "headroom-system", pod); err != nil || stderr != "" {
		t.Errorf("kubectl says %v %q, want nothing", err, stderr)
	}
	careless := pod.DeepCopy()
	careless.Spec.Containers[0].SecurityContext = nil
	if stderr, err := dryRun(t, "headroom-system", careless); err == nil || !strings.Contains(stderr, "PodSecurity") {
		t.Errorf("kubectl says %v %q of a pod without its security context: Pod Security is not enforced", err, stderr)
	}

	container := pod.Spec.Containers[0]
	r := headroom(t, "", append(container.Args, "--kubeconfig", "/nowhere")...)
	matches(t, "with the Deployment's arguments the program", r.stderr, "error: kubeconfig /nowhere: no such file; name another one with --kubeconfig")
	for _, port := range container.Ports {
		if want := map[string]int32{"webhook": 9443, "health": 8081, "metrics": 8080}[port.Name]; port.ContainerPort != want {
			t.Errorf("port %s is %d, the flags' default is %d", port.Name, port.ContainerPort, want)
		}
	}
}

func TestManifestsAgreeWithTheCode(t *testing.T) {
	t.Run("webhook.yaml is webhook.Webhooks", func(t *testing.T) {
		got := decode[admissionregistrationv1.ValidatingWebhookConfiguration](t, rendered(t, "base")["ValidatingWebhookConfiguration headroom"])
		want := webhook.Webhooks(func(path string) admissionregistrationv1.WebhookClientConfig {
			return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
				Namespace: policy.Namespace, Name: "headroom", Path: new(path), Port: new(int32(443)),
			}}
		})
		if diff := cmp.Diff(want, got.Webhooks); diff != "" || got.Name != webhook.ConfigurationName {
			t.Errorf("name %q, webhooks (-code +manifest):\n%s", got.Name, diff)
		}
	})
	t.Run("policy.yaml is policy.DefaultYAML", func(t *testing.T) {
		got := decode[corev1.ConfigMap](t, rendered(t, "base")["ConfigMap headroom-system/headroom-policy"])
		if diff := cmp.Diff(map[string]string{policy.ConfigMapKey: policy.DefaultYAML}, got.Data); diff != "" || got.Name != policy.ConfigMapName {
			t.Errorf("name %q, data (-code +manifest):\n%s", got.Name, diff)
		}
		file, err := os.ReadFile(manifests + "base/policy.yaml")
		if err != nil || string(file) != policy.DefaultYAML {
			t.Errorf("base/policy.yaml is not the default text (%v)", err)
		}
	})
}
