// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/workload"
)

// reviewed is one kind of object. In its text, IMAGE is an image and MORE are further fields of the pod's spec.
type reviewed struct{ apiVersion, kind, resource, text string }

func kindsReviewed() []reviewed {
	const pod = "{MORE containers: [{name: c, image: IMAGE}]}"
	const template = "template: {spec: " + pod + "}"
	return []reviewed{
		{"v1", "Pod", "pods", "spec: " + pod},
		{"v1", "PodTemplate", "podtemplates", template},
		{"v1", "ReplicationController", "replicationcontrollers", "spec: {" + template + "}"},
		{"apps/v1", "Deployment", "deployments", "spec: {" + template + "}"},
		{"apps/v1", "StatefulSet", "statefulsets", "spec: {" + template + "}"},
		{"apps/v1", "DaemonSet", "daemonsets", "spec: {" + template + "}"},
		{"apps/v1", "ReplicaSet", "replicasets", "spec: {" + template + "}"},
		{"batch/v1", "Job", "jobs", "spec: {" + template + "}"},
		{"batch/v1", "CronJob", "cronjobs", "spec: {jobTemplate: {spec: {" + template + "}}}"},
		{"example.com/v1", "Rollout", "rollouts", "spec: {" + template + "}"},
	}
}

// object is one of that kind. An owner is what made it, "" for nobody.
func (k reviewed) object(t testing.TB, image, more, owner string) []byte {
	t.Helper()
	meta := "{name: x, namespace: team-a}"
	if owner != "" {
		meta = "{name: x, namespace: team-a, ownerReferences: [{apiVersion: a/v1, kind: " + owner + ", name: o, uid: u, controller: true}]}"
	}
	text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: %s\n%s\n", k.apiVersion, k.kind, meta, k.text)
	object, err := yaml.YAMLToJSON([]byte(strings.NewReplacer("IMAGE", `"`+image+`"`, "MORE", more).Replace(text)))
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// review is of the object's creation where old is nil, and of the update of old otherwise.
func (k reviewed) review(t testing.TB, object, old []byte, change ...func(*admissionv1.AdmissionReview)) []byte {
	t.Helper()
	kind := schema.FromAPIVersionAndKind(k.apiVersion, k.kind)
	return reviewOfObject(t, &metav1.ObjectMeta{Name: "x"}, kind, k.resource, append(change, func(r *admissionv1.AdmissionReview) {
		r.Request.Object.Raw = object
		if old != nil {
			r.Request.Operation, r.Request.OldObject.Raw = admissionv1.Update, old
		}
	})...)
}

const (
	bigImage   = "example.com/big:1"
	smallImage = "example.com/small:1"
)

// worldOptions answer by a ledger of two nodes, on which big would evict pods. The namespace has this label, "" for none.
func worldOptions(t testing.TB, mode policy.Mode, overrides policy.Overrides, label string) HandlerOptions {
	t.Helper()
	w := ledgertest.New(t)
	w.Node("a", ledgertest.Disk(10<<30, 5<<29))
	w.Node("b", ledgertest.Disk(10<<30, 3<<30))
	p, _, err := policy.Load(fmt.Appendf(nil, `apiVersion: headroom.dev/v1alpha1
kind: Policy
mode: %s
namespaceOverrides: %s
images: [{match: 'example.com/big:*', size: 2Gi}, {match: 'example.com/small:*', size: 1Mi}]
nodePools: [{name: all, selector: {}, elastic: false}]
`, mode, overrides), true)
	if err != nil {
		t.Fatal(err)
	}
	return HandlerOptions{
		Evaluator:     fit.Evaluator{Snapshot: func() *ledger.Snapshot { return w.Ledger.Snapshot() }, Policy: func() *policy.Policy { return p }, Clock: func() time.Time { return w.Now }},
		NamespaceMode: func(string) string { return label },
		Templates: func(kind schema.GroupVersionKind) *workload.Paths {
			if kind.Group != "example.com" {
				return nil
			}
			return &workload.Paths{Template: []string{"spec", "template"}, Replicas: []string{"spec", "replicas"}}
		},
	}
}

func (k reviewed) handler(o HandlerOptions) *Handler {
	if k.kind == "Pod" {
		return NewPods(o)
	}
	return NewWorkloads(o)
}

// inForce says, apart from package policy, which mode a namespace's label leads to.
func inForce(mode policy.Mode, overrides policy.Overrides, label string) policy.Mode {
	wish := policy.Mode(label)
	known := slices.Contains(policy.Modes(), wish)
	switch {
	case mode == policy.Off, !known, overrides == policy.OverridesNone:
		return mode
	case overrides == policy.OverridesAny:
		return wish
	case slices.Index(policy.Modes(), wish) > slices.Index(policy.Modes(), mode):
		return wish
	default:
		return mode
	}
}

// TestKindOperationModeLabel goes through every kind, operation, mode and label of the namespace.
func TestKindOperationModeLabel(t *testing.T) {
	for _, kind := range kindsReviewed() {
		for _, mode := range policy.Modes() {
			for _, overrides := range []policy.Overrides{policy.OverridesNone, policy.OverridesTighten, policy.OverridesAny} {
				for _, label := range []string{"", "Off", "Audit", "Warn", "Enforce", "Nonsense"} {
					t.Run(fmt.Sprintf("%s,%s,%s,%s", kind.kind, mode, overrides, label), func(t *testing.T) {
						h := kind.handler(worldOptions(t, mode, overrides, label))
						big, small := kind.object(t, bigImage, "", ""), kind.object(t, smallImage, "", "")
						want := wanted(inForce(mode, overrides, label), kind.kind == "Pod")
						for operation, body := range map[string][]byte{
							"CREATE":                       kind.review(t, big, nil),
							"UPDATE of the image":          kind.review(t, big, small),
							"UPDATE of the image, dry run": kind.review(t, big, small, dryRun),
						} {
							if got := outcomeOf(post(t, h, body)); got != want {
								t.Errorf("%s: got %+v, want %+v", operation, got, want)
							}
						}
						nothing := result{action: "Allow", exempt: "unchanged"}
						if got := outcomeOf(post(t, h, kind.review(t, big, big))); got != nothing {
							t.Errorf("UPDATE of nothing: got %+v, want %+v", got, nothing)
						}
					})
				}
			}
		}
	}
}

// result is what a test compares of an answer.
type result struct {
	refused, warned bool
	action, verdict string
	exempt          string
}

func outcomeOf(r *admissionv1.AdmissionResponse) result {
	return result{
		refused: !r.Allowed, warned: len(r.Warnings) > 0,
		action: r.AuditAnnotations["action"], verdict: r.AuditAnnotations["verdict"], exempt: r.AuditAnnotations["exempt"],
	}
}

// wanted is what becomes of an object with an image that is too big for every node.
func wanted(mode policy.Mode, pod bool) result {
	switch {
	case mode == policy.Off:
		return result{action: "Allow", exempt: "off"}
	case mode == policy.Audit:
		return result{action: "Allow", verdict: "EvictsPods"}
	case mode == policy.Enforce && pod:
		return result{refused: true, action: "Deny", verdict: "EvictsPods"}
	default:
		return result{warned: true, action: "Warn", verdict: "EvictsPods"}
	}
}

// TestWhoReadsAWarning: what a controller makes is annotated and told on, but its maker reads no warnings. A person who
// changes a controller's pod later does.
func TestWhoReadsAWarning(t *testing.T) {
	for _, kind := range kindsReviewed() {
		for _, owner := range []string{"", "Deployment"} {
			t.Run(kind.kind+" of "+owner, func(t *testing.T) {
				var told []Notice
				o := worldOptions(t, policy.Warn, policy.OverridesNone, "")
				o.Tell = func(n Notice) { told = append(told, n) }
				h := kind.handler(o)
				big, small := kind.object(t, bigImage, "", owner), kind.object(t, smallImage, "", owner)
				created, updated := post(t, h, kind.review(t, big, nil)), post(t, h, kind.review(t, big, small))
				if got, want := len(created.Warnings) == 1, owner == ""; got != want {
					t.Errorf("CREATE: warnings %q, want one: %v", created.Warnings, want)
				}
				if got, want := len(updated.Warnings) == 1, owner == "" || kind.kind == "Pod"; got != want {
					t.Errorf("UPDATE: warnings %q, want one: %v", updated.Warnings, want)
				}
				if len(told) != 2 || (told[0].Controller != nil) != (owner != "") || told[0].Kind != kind.kind || told[0].Name != "x" {
					t.Errorf("told %+v, want both, with what made the object", told)
				}
				if post(t, h, kind.review(t, big, nil, dryRun)); len(told) != 2 {
					t.Error("a dry run was told on")
				}
			})
		}
	}
}

func TestWhatIsLookedAtInAPod(t *testing.T) {
	pod := kindsReviewed()[0]
	warned := result{warned: true, action: "Warn", verdict: "EvictsPods"}
	unchanged := result{action: "Allow", exempt: "unchanged"}
	harmless := result{action: "Allow", exempt: "subresource"}
	cases := map[string]struct {
		image, more, oldImage, oldMore string
		subresource                    string
		want                           result
	}{
		"another image":                  {bigImage, "nodeName: a,", smallImage, "nodeName: a,", "", warned},
		"another image, before any node": {bigImage, "", smallImage, "", "", warned},
		"one gate less":                  {bigImage, "schedulingGates: [{name: a}],", bigImage, "schedulingGates: [{name: a}, {name: b}],", "", unchanged},
		"the last gate":                  {bigImage, "", bigImage, "schedulingGates: [{name: a}],", "", warned},
		"a node":                         {bigImage, "nodeName: a,", bigImage, "", "", warned},
		"tolerations":                    {bigImage, "nodeName: a, tolerations: [{operator: Exists}],", bigImage, "nodeName: a,", "", unchanged},
		"a debug container": {
			smallImage, `nodeName: a, ephemeralContainers: [{name: d, image: "example.com/big:1"}],`, smallImage, "nodeName: a,", "ephemeralcontainers", warned,
		},
		"a small debug container": {
			smallImage, `nodeName: a, ephemeralContainers: [{name: d, image: "example.com/small:1"}],`, smallImage, "nodeName: a,", "ephemeralcontainers",
			result{action: "Allow", verdict: "Fits"},
		},
		"an image that only a subresource of the future changes": {bigImage, "nodeName: a,", smallImage, "nodeName: a,", "checkpoint", warned},
		"such a one that changes nothing":                        {bigImage, "nodeName: a,", bigImage, "nodeName: a,", "checkpoint", unchanged},
		"the status":                                             {bigImage, "", smallImage, "", "status", harmless},
		"a resize":                                               {bigImage, "", smallImage, "", "resize", harmless},
		"a binding":                                              {bigImage, "", smallImage, "", "binding", harmless},
		"an eviction":                                            {bigImage, "", smallImage, "", "eviction", harmless},
		"an exec":                                                {bigImage, "", smallImage, "", "exec", harmless},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := NewPods(worldOptions(t, policy.Warn, policy.OverridesNone, ""))
			body := pod.review(t, pod.object(t, tc.image, tc.more, ""), pod.object(t, tc.oldImage, tc.oldMore, ""), subresource(tc.subresource))
			if got := outcomeOf(post(t, h, body)); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// TestAPodIsJudgedWhereItIs: neither a cordon nor a taint nor a want of processors speaks against a node that it is on.
func TestAPodIsJudgedWhereItIs(t *testing.T) {
	s := &script{}
	h := NewPods(HandlerOptions{Evaluator: s})
	pod := kindsReviewed()[0]
	const more = `nodeName: a, nodeSelector: {no: such}, `
	post(t, h, pod.review(t, pod.object(t, bigImage, more, ""), pod.object(t, smallImage, more, "")))
	post(t, h, pod.review(t, pod.object(t, bigImage, more, ""), nil))
	asked := s.asked()
	if len(asked) != 2 {
		t.Fatalf("%d questions, want 2", len(asked))
	}
	node := someNode("a")
	if update, create := asked[0].Placement, asked[1].Placement; update.NodeName() != "a" || !update.Possible(node, nil) || create.Possible(node, nil) {
		t.Error("want that the update is possible on the pod's node, and that a creation is not, by its selector")
	}
}

func someNode(name string) *placement.Node {
	return &placement.Node{Name: name, Taints: []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoExecute}}, Unschedulable: true}
}
