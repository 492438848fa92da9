// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hostile are specs that are as large and as strange as whoever may create pods can make them. Nobody knows the size of their
// images, but for those of example.com/small.
func hostile() map[string]corev1.PodSpec {
	containers := func(n int, image func(i int) string) corev1.PodSpec {
		var spec corev1.PodSpec
		for i := range n {
			spec.Containers = append(spec.Containers, corev1.Container{Name: fmt.Sprintf("c%d", i), Image: image(i)})
		}
		return spec
	}
	small := func(change func(*corev1.PodSpec)) corev1.PodSpec {
		spec := containers(1, func(int) string { return "example.com/small:1" })
		change(&spec)
		return spec
	}
	long := strings.Repeat("a", 10<<10)
	return map[string]corev1.PodSpec{
		"1,000 containers of one image":            containers(1000, func(int) string { return "example.com/small:1" }),
		"1,000 containers of 1,000 unknown images": containers(1000, func(i int) string { return fmt.Sprintf("example.com/unknown:%d", i) }),
		"image names of 10 KB":                     containers(100, func(i int) string { return fmt.Sprintf("example.com/%s:%d", long, i) }),
		"a tag of 10 KB":                           containers(1, func(int) string { return "example.com/small:" + long }),
		"a digest of 10 KB":                        containers(1, func(int) string { return "example.com/small@sha256:" + long }),
		"a name of 5,000 parts":                    containers(1, func(int) string { return strings.Repeat("a/", 5000) + "a" }),
		"names that are no names": containers(9, func(i int) string {
			return []string{"@", ":", "/", "::::", "a@b@c", "%00", "../../x", "A/B", "\u202egnp.\u2066"}[i]
		}),
		"5,000 terms of node affinity": small(func(s *corev1.PodSpec) {
			terms := &corev1.NodeSelector{}
			for i := range 5000 {
				terms.NodeSelectorTerms = append(terms.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: fmt.Sprintf("example.com/k%d", i), Operator: corev1.NodeSelectorOpIn, Values: []string{"a", "b", "c"}},
				}})
			}
			s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
		}),
		"40,000 expressions in one term": small(func(s *corev1.PodSpec) {
			var term corev1.NodeSelectorTerm
			for i := range 40000 {
				term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{Key: fmt.Sprintf("k%d", i), Operator: corev1.NodeSelectorOpDoesNotExist})
			}
			s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}}}}
		}),
		"20,000 tolerations": small(func(s *corev1.PodSpec) {
			for i := range 20000 {
				s.Tolerations = append(s.Tolerations, corev1.Toleration{Key: fmt.Sprintf("k%d", i), Operator: corev1.TolerationOpExists})
			}
		}),
		"10,000 labels of a node": small(func(s *corev1.PodSpec) {
			s.NodeSelector = map[string]string{}
			for i := range 10000 {
				s.NodeSelector[fmt.Sprintf("k%d", i)] = "v"
			}
		}),
		"a node that is not there": small(func(s *corev1.PodSpec) { s.NodeName = strings.Repeat("n", 253) }),
		"image volumes with empty references": small(func(s *corev1.PodSpec) {
			for i := range 200 {
				s.Volumes = append(s.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}})
			}
		}),
		"500 image volumes": small(func(s *corev1.PodSpec) {
			for i := range 500 {
				s.Volumes = append(s.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: fmt.Sprintf("example.com/volume:%d", i)}}})
			}
		}),
		"requests without end": small(func(s *corev1.PodSpec) {
			s.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("9E"), "memory": resource.MustParse("7E")}
		}),
		"nearly all that the API server takes": containers(1000, func(i int) string { return fmt.Sprintf("example.com/%s:%d", strings.Repeat("b", 2700), i) }),
		"more than the API server takes":       containers(1000, func(i int) string { return fmt.Sprintf("example.com/%s:%d", strings.Repeat("b", 4000), i) }),
	}
}

// refusedByItself are those that the API server does not take, and why.
var refusedByItself = map[string]string{
	"more than the API server takes":      "too large",
	"image volumes with empty references": "reference: Required value",
}

// TestHostileSpecs: whatever the API server takes is answered in time, says so in the audit log, and is admitted: none of them
// is known to be too large, so that a refusal would be an accident. Of a kind of one's own it takes anything.
func TestHostileSpecs(t *testing.T) {
	quiet(t)
	setMatrixPolicy(t, nil, "Enforce", "None")
	p := startHeadroom(t)
	withRollouts(t)
	namespace(t, "hostile")
	awaitWebhook(t, p)
	a := newAsker(t)
	for name, spec := range hostile() {
		for kind, text := range map[string]string{
			"pods":                 asJSON(t, corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "hostile"}, Spec: spec}),
			"deployments.apps":     asJSON(t, hostileDeployment(spec)),
			"rollouts.example.com": strings.Replace(asJSON(t, hostileDeployment(spec)), `"kind":"Deployment","apiVersion":"apps/v1"`, `"kind":"Rollout","apiVersion":"example.com/v1"`, 1),
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				began := time.Now()
				id := a.ask(t, "hostile", request{resource: kind, create: text})
				took := time.Since(began).Round(time.Millisecond)
				answer := a.answers(t)[id]
				t.Logf("%v, said %.120q, noted %v", took, answer.said, answer.noted)
				why := refusedByItself[name]
				if kind == "rollouts.example.com" && why != "too large" {
					why = ""
				}
				webhook := "workloads"
				if kind == "pods" {
					webhook = "pods"
				}
				if why != "" {
					if !strings.HasPrefix(answer.said, "error: ") || !strings.Contains(answer.said, why) {
						t.Errorf("said %.300q, want an error of the API server about %q", answer.said, why)
					}
				} else if answer.said != "" || answer.noted[webhook+"/action"] != "Allow" {
					t.Errorf("said %.300q, noted %v", answer.said, answer.noted)
				}
			})
		}
	}
	t.Run("what is too large is refused all the same", func(t *testing.T) {
		spec := hostile()["1,000 containers of 1,000 unknown images"]
		spec.Containers[999].Image = "example.com/big:1"
		id := a.ask(t, "hostile", request{resource: "pods", create: asJSON(t, corev1.Pod{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "hostile"}, Spec: spec,
		})})
		if answer := a.answers(t)[id]; !strings.HasPrefix(answer.said, "refused: ") {
			t.Errorf("said %q, noted %v", answer.said, answer.noted)
		}
	})
	if n := p.Metric(t, "headroom_admission_panics_total"); n != 0 {
		t.Errorf("%v panics", n)
	}
	for _, reason := range []string{"timeout", "unreadable", "undecodable", "inconsistent", "other"} {
		if n := p.Metric(t, "headroom_admission_undecided_total", "reason="+reason); n != 0 {
			t.Errorf("%v requests with reason %s", n, reason)
		}
	}
}

func hostileDeployment(spec corev1.PodSpec) *appsv1.Deployment {
	labels := map[string]string{"app": "hostile"}
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: metav1.ObjectMeta{Name: "hostile"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2147483647)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}
