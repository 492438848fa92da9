// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/test/largest"
)

// hostile are pod specs that nobody would write by chance. None of them is about an image that is known to be too big.
func hostile() map[string]corev1.PodSpec {
	times := func(n int, each func(*corev1.PodSpec, int)) corev1.PodSpec {
		spec := aPod().Spec
		spec.Containers[0].Image = smallImage
		for i := range n {
			each(&spec, i)
		}
		return spec
	}
	long := strings.Repeat("a", 10<<10)
	return map[string]corev1.PodSpec{
		"1,000 containers of one image": times(1000, func(s *corev1.PodSpec, _ int) {
			s.Containers = append(s.Containers, corev1.Container{Name: "c", Image: smallImage})
		}),
		"1,000 images that nobody knows": times(1000, func(s *corev1.PodSpec, i int) {
			s.Containers = append(s.Containers, corev1.Container{Name: "c", Image: fmt.Sprintf("example.com/unknown/%d:1", i)})
		}),
		"1,000 containers of each sort": times(1000, func(s *corev1.PodSpec, i int) {
			image := fmt.Sprintf("example.com/small:%d", i)
			s.InitContainers = append(s.InitContainers, corev1.Container{Name: "i", Image: image})
			s.Containers = append(s.Containers, corev1.Container{Name: "c", Image: image})
			s.EphemeralContainers = append(s.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e", Image: image}})
		}),
		"names of 10 KiB": times(250, func(s *corev1.PodSpec, i int) {
			s.Containers = append(s.Containers, corev1.Container{Name: "c", Image: "example.com/" + long + strconv.Itoa(i)})
		}),
		"names of 10 KiB that are none": times(250, func(s *corev1.PodSpec, _ int) {
			s.Containers = append(s.Containers, corev1.Container{Name: "c", Image: strings.Repeat("/:@", 3<<10) + "\x00"})
		}),
		"image volumes without a reference": times(1000, func(s *corev1.PodSpec, _ int) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{}}})
		}),
		"thousands of terms of affinity": times(4000, func(s *corev1.PodSpec, i int) {
			if s.Affinity == nil {
				s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}
			}
			terms := s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
			terms.NodeSelectorTerms = append(terms.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: "k" + strconv.Itoa(i), Operator: corev1.NodeSelectorOpIn, Values: []string{"a", "b", "c"}},
			}})
		}),
		"thousands of numbers to compare with": times(4000, func(s *corev1.PodSpec, _ int) {
			if s.Affinity == nil {
				s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}
			}
			terms := s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
			terms.NodeSelectorTerms = append(terms.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpGt, Values: []string{"not a number"}},
			}})
		}),
		"thousands of tolerations": times(10000, func(s *corev1.PodSpec, i int) {
			s.Tolerations = append(s.Tolerations, corev1.Toleration{Key: "k" + strconv.Itoa(i), Operator: corev1.TolerationOpExists})
		}),
		"thousands of labels to select by": times(10000, func(s *corev1.PodSpec, i int) {
			if s.NodeSelector == nil {
				s.NodeSelector = map[string]string{}
			}
			s.NodeSelector["k"+strconv.Itoa(i)] = "v"
		}),
		"requests beyond any number": times(1, func(s *corev1.PodSpec, _ int) {
			s.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("9223372036854775807"), corev1.ResourceMemory: resource.MustParse("8Ei")}
		}),
		"no containers at all": {},
	}
}

// layered is an image of 100 small layers, half of them in a base that others share.
func layered(i int) string { return fmt.Sprintf("example.com/layered-%d:%d", i%7, i) }

func layersOf(i int) imagesize.Manifest {
	m := imagesize.Manifest{CompressedBytes: 100 << 10}
	for k := range 100 {
		digest := fmt.Sprint("base ", k)
		if k >= 50 {
			digest = fmt.Sprint(i, " ", k)
		}
		m.Layers = append(m.Layers, imagesize.Layer{Digest: digest, ChainID: digest, CompressedBytes: 1 << 10})
	}
	return m
}

// looks counts the evaluations, and the most images that one of them looked at.
type looks struct {
	Evaluator

	evaluations, images int
}

func (l *looks) Evaluate(r fit.Request) fit.Decision {
	d := l.Evaluator.Evaluate(r)
	distinct := map[imageref.Ref]bool{}
	for _, image := range r.Images {
		distinct[image.Ref] = true
	}
	l.evaluations++
	l.images = max(l.images, len(distinct)-d.LeftOut)
	return d
}

// TestHostilePods: whatever a spec holds, it is answered after one look at few images, and a pod is not refused for what it does
// not pull.
func TestHostilePods(t *testing.T) {
	w := ledgertest.New(t)
	for i := range 60 {
		// Nothing but small images fit, so that a mistake in the arithmetic would refuse.
		w.Node(fmt.Sprintf("n%d", i), ledgertest.Disk(10<<30, 5<<30), ledgertest.Taint("example.com/t"))
	}
	for i := range 1500 {
		w.Ledger.SetManifest(w.Ref(layered(i)), imagesize.Platform{OS: "linux", Architecture: "amd64"}, layersOf(i))
	}
	p, _, err := policy.Load([]byte(`apiVersion: headroom.dev/v1alpha1
kind: Policy
mode: Enforce
images: [{match: 'example.com/big:*', size: 9Gi}, {match: 'example.com/small:*', size: 1Mi}]
nodePools: [{name: all, selector: {}, elastic: false}]
`), true)
	if err != nil {
		t.Fatal(err)
	}
	snapshot := w.Ledger.Snapshot()
	looked := &looks{Evaluator: fit.Evaluator{
		Snapshot: func() *ledger.Snapshot { return snapshot }, Policy: func() *policy.Policy { return p }, Clock: func() time.Time { return w.Now },
	}}
	o := HandlerOptions{Evaluator: looked}
	specs := hostile()
	for name, pod := range largest.Demanding(layered) {
		specs["layered images, "+name] = pod.Spec
	}
	for name, spec := range specs {
		spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: "example.com/t", Operator: corev1.TolerationOpExists})
		pod := aPod(func(p *corev1.Pod) { p.Spec = spec })
		before := aPod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "before" })
		deployment := aDeployment(func(d *appsv1.Deployment) { d.Spec.Template.Spec = spec })
		for what, answer := range map[string]func() *admissionv1.AdmissionResponse{
			"created": func() *admissionv1.AdmissionResponse { return postWithin(t, NewPods(o), reviewOf(t, pod), "30s") },
			"updated": func() *admissionv1.AdmissionResponse {
				return postWithin(t, NewPods(o), reviewOf(t, pod, updateOf(t, before)), "30s")
			},
			"as it is": func() *admissionv1.AdmissionResponse {
				return postWithin(t, NewPods(o), reviewOf(t, pod, updateOf(t, pod)), "30s")
			},
			"a template": func() *admissionv1.AdmissionResponse {
				return postWithin(t, NewWorkloads(o), reviewOfObject(t, deployment, deploymentKind, "deployments"), "30s")
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				looked.evaluations, looked.images = 0, 0
				r := answer()
				if most := 64; looked.evaluations > 1 || looked.images > most {
					t.Errorf("%d evaluations, one of which looked at %d images: want 1, and %d", looked.evaluations, looked.images, most)
				}
				if !r.Allowed || len(r.Warnings) > 0 || r.AuditAnnotations["action"] != "Allow" {
					t.Errorf("allowed %v, warnings %q, annotations %v, want a silent yes", r.Allowed, r.Warnings, r.AuditAnnotations)
				}
				if why := r.AuditAnnotations["undecided"]; why == "panic" || why == "timeout" {
					t.Errorf("undecided: %s, %s", why, r.AuditAnnotations["error"])
				}
			})
		}
	}
	t.Run("and what is too big is refused all the same", func(t *testing.T) {
		spec := hostile()["1,000 containers of one image"]
		spec.Containers[999].Image = bigImage
		spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		pod := aPod(func(p *corev1.Pod) { p.Spec, p.ObjectMeta = spec, metav1.ObjectMeta{Name: "x"} })
		if r := post(t, NewPods(o), reviewOf(t, pod)); r.Allowed {
			t.Errorf("admitted: %v", r.AuditAnnotations)
		}
	})
}
