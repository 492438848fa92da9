// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headroom-dev/headroom/policy"
)

// scaled is a review of a request to the subresource scale of team-a/x.
func scaled(t testing.TB, resource string, from, to int, change ...func(*admissionv1.AdmissionReview)) []byte {
	t.Helper()
	scale := func(n int) []byte {
		return fmt.Appendf(nil, `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"x","namespace":"team-a","uid":"owner"},"spec":{"replicas":%d}}`, n)
	}
	of := schema.ParseGroupResource(resource)
	return reviewOfObject(t, &metav1.ObjectMeta{Name: "x"}, schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}, of.Resource,
		append([]func(*admissionv1.AdmissionReview){func(r *admissionv1.AdmissionReview) {
			r.Request.Resource = metav1.GroupVersionResource{Group: of.Group, Version: "v1", Resource: of.Resource}
			r.Request.Operation, r.Request.SubResource, r.Request.Name, r.Request.Namespace = admissionv1.Update, "scale", "x", "team-a"
			r.Request.Object.Raw, r.Request.OldObject.Raw = scale(to), scale(from)
		}}, change...)...)
}

// newest has one pod of each workload x, that runs this image.
func newest(image string) func(corev1.ObjectReference) *corev1.Pod {
	return func(of corev1.ObjectReference) *corev1.Pod {
		if of.Namespace != "team-a" || of.Name != "x" || of.UID != "owner" {
			return nil
		}
		return aPod(func(p *corev1.Pod) {
			p.Name, p.Namespace, p.Spec.NodeName = "x-1", "team-a", "a"
			p.Spec.Containers = []corev1.Container{{Name: "c", Image: image}}
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "d", Image: "example.com/unheard-of:1"}}}
		})
	}
}

// TestScaling: more replicas through the subresource are told what more replicas of the object itself are told.
func TestScaling(t *testing.T) {
	resources := map[string]string{"deployments.apps": "Deployment", "statefulsets.apps": "StatefulSet", "replicasets.apps": "ReplicaSet", "replicationcontrollers": "ReplicationController"}
	for _, kind := range kindsReviewed() {
		resource := schema.GroupResource{Group: schema.FromAPIVersionAndKind(kind.apiVersion, "").Group, Resource: kind.resource}.String()
		if resources[resource] != kind.kind {
			continue
		}
		for _, mode := range policy.Modes() {
			t.Run(kind.kind+" in "+string(mode), func(t *testing.T) {
				o := worldOptions(t, mode, policy.OverridesNone, "")
				o.NewestPod = newest(bigImage)
				var told []Notice
				o.Tell = func(n Notice) { told = append(told, n) }
				h := NewWorkloads(o)
				itself := post(t, h, kind.review(t, kind.object(t, bigImage, "", ""), kind.object(t, smallImage, "", "")))
				got := post(t, h, scaled(t, resource, 2, 3))
				if diff := cmp.Diff(itself.Warnings, got.Warnings); diff != "" {
					t.Errorf("warnings (-update of the object +scale):\n%s", diff)
				}
				if diff := cmp.Diff(itself.AuditAnnotations, got.AuditAnnotations); diff != "" {
					t.Errorf("annotations (-update of the object +scale):\n%s", diff)
				}
				if mode.AtLeast(policy.Warn) && (len(told) != 2 || told[1].Kind != kind.kind || told[1].APIVersion != kind.apiVersion || told[1].Name != "x" ||
					told[1].Namespace != "team-a" || told[1].Images != told[0].Images) {
					t.Errorf("told %+v, want the same of the same object", told)
				}
			})
		}
	}
}

func TestWhatIsNotSaidOfScaling(t *testing.T) {
	for about, c := range map[string]struct {
		resource string
		from, to int
		pod      func(corev1.ObjectReference) *corev1.Pod
		change   func(*admissionv1.AdmissionReview)
		want     map[string]string
	}{
		"fewer replicas":       {"deployments.apps", 3, 2, newest(bigImage), nil, map[string]string{"action": "Allow", "exempt": "unchanged"}},
		"as many as there are": {"deployments.apps", 3, 3, newest(bigImage), nil, map[string]string{"action": "Allow", "exempt": "unchanged"}},
		"the first ones": {"deployments.apps", 0, 2, func(corev1.ObjectReference) *corev1.Pod { return nil }, nil, map[string]string{
			"action": "Allow", "undecided": "unknown-template", "error": "the Deployment has no pod that tells what more of them would be like",
		}},
		"where nobody knows any pod": {"deployments.apps", 1, 2, nil, nil, map[string]string{
			"action": "Allow", "undecided": "unknown-template", "error": "the Deployment has no pod that tells what more of them would be like",
		}},
		"another kind": {"rollouts.example.com", 1, 2, newest(bigImage), nil, map[string]string{
			"action": "Allow", "undecided": "unexpected-request", "error": `UPDATE of rollouts "scale" is not judged here: the webhook's rules ask for more than they should`,
		}},
		"a creation": {
			"deployments.apps", 1, 2, newest(bigImage), func(r *admissionv1.AdmissionReview) { r.Request.Operation = admissionv1.Create },
			map[string]string{"action": "Allow", "undecided": "unexpected-request", "error": `CREATE of deployments "scale" is not judged here: the webhook's rules ask for more than they should`},
		},
		"no scale at all": {
			"deployments.apps", 1, 2, newest(bigImage), func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = []byte(`{"spec":7}`) },
			map[string]string{"action": "Allow", "undecided": "undecodable", "error": "the Scale can't be decoded: json: cannot unmarshal number into Go struct field Scale.spec of type v1.ScaleSpec"},
		},
	} {
		t.Run(about, func(t *testing.T) {
			o := worldOptions(t, policy.Warn, policy.OverridesNone, "")
			o.NewestPod, o.Metrics = c.pod, NewMetrics(nil)
			if c.change == nil {
				c.change = func(*admissionv1.AdmissionReview) {}
			}
			r := post(t, NewWorkloads(o), scaled(t, c.resource, c.from, c.to, c.change))
			if diff := cmp.Diff(c.want, r.AuditAnnotations); diff != "" || len(r.Warnings) > 0 {
				t.Errorf("warnings %q, annotations (-want +got):\n%s", r.Warnings, diff)
			}
			if why := c.want["undecided"]; why != "" {
				counted(t, o.Metrics, 1, "workloads", why)
			}
		})
	}
}

// TestScalingWaitsItsTurn: nothing is looked for while no processor is free to.
func TestScalingWaitsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := worldOptions(t, policy.Warn, policy.OverridesNone, "")
		o.NewestPod = func(corev1.ObjectReference) *corev1.Pod {
			t.Error("it was looked for")
			return nil
		}
		o.Limits = newLimits()
		for range cap(o.Limits.slots) {
			o.Limits.slots <- struct{}{}
		}
		if why := post(t, NewWorkloads(o), scaled(t, "deployments.apps", 1, 2)).AuditAnnotations[undecidedKey]; why != string(TimedOut) {
			t.Errorf("undecided %q, want %q", why, TimedOut)
		}
	})
}

// TestLabelsThatExceptionsAreFor: another label of a template matters where an exception does.
func TestLabelsThatExceptionsAreFor(t *testing.T) {
	labelled := func(value string) []byte {
		return fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x","namespace":"team-a"},"spec":{"template":{"metadata":{"labels":{"app":%q}},
			"spec":{"containers":[{"name":"c","image":%q}]}}}}`, value, bigImage)
	}
	deployment := kindsReviewed()[3]
	for about, c := range map[string]struct {
		alike func(string, map[string]string, map[string]string) bool
		want  result
	}{
		"where there are none": {nil, result{action: "Allow", exempt: "unchanged"}},
		"where they are alike": {func(string, map[string]string, map[string]string) bool { return true }, result{action: "Allow", exempt: "unchanged"}},
		"where they are not so": {func(namespace string, a, b map[string]string) bool {
			return namespace != "team-a" || a["app"] == b["app"]
		}, result{warned: true, action: "Warn", verdict: "EvictsPods"}},
	} {
		o := worldOptions(t, policy.Warn, policy.OverridesNone, "")
		o.TreatsAlike = c.alike
		if got := outcomeOf(post(t, NewWorkloads(o), deployment.review(t, labelled("b"), labelled("a")))); got != c.want {
			t.Errorf("%s: got %+v, want %+v", about, got, c.want)
		}
	}
}
