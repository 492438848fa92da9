// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWhatUsersSee is about the words: every one of them is in a golden file.
func TestWhatUsersSee(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Warn")
	p := startHeadroom(t)
	namespace(t, "users")
	awaitWebhook(t, p)

	pods := []struct{ about, image string }{
		{"7Gi where 6.5Gi are left before pods are evicted", "example.com/big:1"},
		{"20Gi on a disk of 10Gi", "example.com/huge:1"},
		{"100Mi", "example.com/small:1"},
	}
	for _, mode := range []string{"Warn", "Audit", "Enforce", "Off"} {
		t.Run(mode, func(t *testing.T) {
			setPolicy(t, "mode: "+mode)
			awaitMode(t, p, mode)
			var said strings.Builder
			for _, pod := range pods {
				stderr, _ := dryRun(t, "users", podOf("app", pod.image))
				said.WriteString("# " + pod.about + "\n" + stderr)
			}
			golden(t, "kubectl-"+strings.ToLower(mode)+".txt", said.String())
		})
	}
	t.Run("a refusal's status carries the reason code", func(t *testing.T) {
		setPolicy(t, "mode: Enforce")
		awaitMode(t, p, "Enforce")
		_, err := shared.client.CoreV1().Pods("users").Create(t.Context(), podOf("app", "example.com/big:1"), metav1.CreateOptions{})
		status, isStatus := errors.AsType[*apierrors.StatusError](err)
		if !isStatus {
			t.Fatalf("error %v, want a status", err)
		}
		message := `admission webhook "pods.headroom.dev" denied the request: ` + enforced
		want := metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: message,
			Details: &metav1.StatusDetails{
				Name: "app", Kind: "pods",
				Causes: []metav1.StatusCause{{Type: "ImageStorageEvictsPods", Message: enforced, Field: "spec"}},
			},
		}
		got := status.ErrStatus
		got.Details.UID, got.TypeMeta, got.ListMeta = "", metav1.TypeMeta{}, metav1.ListMeta{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
	t.Run("and is in no store", func(t *testing.T) {
		if out := kubectl(t, "get", "pods", "-n", "users", "-o", "name"); out != "" {
			t.Errorf("there is %q", out)
		}
	})
	t.Run("and nothing that an API server sends is out of the ordinary", func(t *testing.T) {
		if n := p.Metric(t, "headroom_admission_typed_decodes_total"); n != 0 {
			t.Errorf("%v reviews were decoded by the typed decoder", n)
		}
	})
}

// enforced is the sentence of a refused pod that needs 7Gi.
const enforced = "image storage: needs 7Gi on a node; none of 2 eligible nodes can hold that before pods are evicted (at best 6.5Gi)"

func TestAuditAnnotations(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Audit")
	p := startHeadroom(t)
	namespace(t, "annotated")
	awaitWebhook(t, p)

	judged := map[string]string{
		"action": "Allow", "verdict": "EvictsPods", "need": "7516192768/7516192768/7516192768",
		"projected": "1073741824/1073741824/1073741824", "candidates": "possible=2,likely=2,overloaded=2", "tier": "Measured",
		"message": warnedSentence,
	}
	cases := map[string]struct {
		pod       *corev1.Pod
		namespace string
		want      map[string]string
	}{
		"a pod that would overload every node": {podOf("plain", "example.com/big:1"), "annotated", judged},
		"a mirror pod of a kubelet": {func() *corev1.Pod {
			pod := podOf("mirror", "example.com/big:1")
			pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
			pod.Spec.NodeName = "sim-1"
			return pod
		}(), "annotated", map[string]string{"action": "Allow", "exempt": "mirror"}},
		"a namespace that the policy exempts": {podOf("exempt", "example.com/big:1"), "kube-public", map[string]string{"action": "Allow", "exempt": "namespace"}},
		"a priority class that the policy exempts": {func() *corev1.Pod {
			pod := podOf("critical", "example.com/big:1")
			pod.Spec.PriorityClassName = "system-node-critical"
			return pod
		}(), "annotated", map[string]string{"action": "Allow", "exempt": "priorityClass"}},
		"an image of unknown size": {podOf("unknown", "example.com/nobody-knows:1"), "annotated", map[string]string{
			"action": "Allow", "verdict": "Unknown", "undecided": "unknown-size", "need": "0/0/inf", "projected": "-inf/8589934592/8589934592",
			"candidates": "possible=2,likely=2,overloaded=0", "tier": "Measured",
		}},
		"an image name that does not parse": {podOf("badname", "Example.com//x"), "annotated", map[string]string{
			"action": "Allow", "verdict": "Unknown", "undecided": "invalid-image", "candidates": "possible=0,likely=0,overloaded=0",
		}},
		"the cluster's own pods are never asked about": {podOf("system", "example.com/big:1"), "kube-system", map[string]string{}},
		"nor are Headroom's":                           {restricted(podOf("own", "example.com/big:1")), "headroom-system", map[string]string{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if stderr, err := dryRun(t, tc.namespace, tc.pod); err != nil || stderr != "" {
				t.Fatalf("kubectl said %v %q, want nothing", err, stderr)
			}
			got := annotationsOf(t, tc.namespace, tc.pod.Name)
			if policy := got["policy"]; len(tc.want) > 0 && tc.want["exempt"] != "mirror" && !strings.HasPrefix(policy, "Audit@") {
				t.Errorf("annotation policy is %q, want Audit@ and a version", policy)
			}
			delete(got, "policy")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

// restricted makes the pod one that the namespace of Headroom takes: Pod Security Admission refuses others before any webhook is
// asked.
func restricted(pod *corev1.Pod) *corev1.Pod {
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	return pod
}

// TestControllersPods: nobody reads the warnings of a pod that a controller
// made, but the annotations are there.
func TestControllersPods(t *testing.T) {
	setPolicy(t, "mode: Warn")
	p := startHeadroom(t)
	namespace(t, "controllers")
	awaitWebhook(t, p)
	warned := p.Metric(t, "headroom_admission_decisions_total", "webhook=pods", "action=Warn")
	_, stderr, err := shared.plane.KubectlInput(t.Context(), `
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web, namespace: controllers}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      schedulingGates: [{name: headroom.dev/test}]
      containers: [{name: main, image: "example.com/big:1"}]
`, "create", "-f", "-")
	if err != nil || stderr != "Warning: "+warnedSentence+"\n" {
		t.Fatalf("kubectl said %v %q, want the warning of the template", err, stderr)
	}
	var made corev1.Pod
	eventually(t, 30*time.Second, "the ReplicaSet's pod", func() bool {
		pods, err := shared.client.CoreV1().Pods("controllers").List(t.Context(), metav1.ListOptions{})
		if err == nil && len(pods.Items) > 0 {
			made = pods.Items[0]
		}
		return made.Name != ""
	})
	var found map[string]string
	for _, event := range auditEvents(t) {
		// The name is generated after the request is named in the log.
		if event.Verb == "create" && event.ObjectRef.Resource == "pods" && event.ObjectRef.Namespace == "controllers" {
			found = event.Annotations
		}
	}
	if found["pods.headroom.dev/verdict"] != "EvictsPods" || found["pods.headroom.dev/action"] != "Warn" {
		t.Errorf("annotations %v, want verdict EvictsPods and action Warn", found)
	}
	if now := p.Metric(t, "headroom_admission_decisions_total", "webhook=pods", "action=Warn"); now != warned+1 {
		t.Errorf("%v warnings counted, want one", now-warned)
	}
	for key := range found {
		if strings.Contains(key, "warning") {
			t.Errorf("a warning went out: %s", key)
		}
	}
}
