// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"math/rand"
	"runtime"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/headroom-dev/headroom/ledger"
)

// leanOf is a pod as an event brings it.
func leanOf(t testing.TB, p *corev1.Pod) *leanPod {
	t.Helper()
	var event metav1.WatchEvent
	if _, _, err := (leanStream{wholeStream(t)}).Decode(frame("MODIFIED", p)[4:], nil, &event); err != nil {
		t.Fatal(err)
	}
	object, _, err := leanObjects{objectDecoder()}.Decode(event.Object.Raw, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	lean, is := object.(*leanPod)
	if !is {
		t.Fatalf("%s is a %T", p.Name, object)
	}
	return lean
}

// TestLeanPodsHaveTheRowsOfWholeOnes: of a template that is new, and of one that is known.
func TestLeanPodsHaveTheRowsOfWholeOnes(t *testing.T) {
	pods := []*corev1.Pod{richPod(), replicaOf(1, 1), replicaOf(1, 2), replicaOf(2, 1)}
	for _, change := range []func(*corev1.Pod){
		func(p *corev1.Pod) { p.Spec.NodeName = "" },
		func(p *corev1.Pod) {
			p.Spec.NodeName, p.Spec.PriorityClassName, p.Spec.SchedulingGates = "", "high", []corev1.PodSchedulingGate{{Name: "wait"}}
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
		},
		func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed },
		func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: t1} },
		func(p *corev1.Pod) { p.Labels["statefulset.kubernetes.io/pod-name"] = p.Name },
		func(p *corev1.Pod) { p.OwnerReferences[0].Kind = "DaemonSet" },
		func(p *corev1.Pod) {
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "d", Image: "debug:1"}}}
		},
	} {
		p := replicaOf(1, 1)
		change(p)
		pods = append(pods, p)
	}
	random := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(2), serializer.NewCodecFactory(scheme.Scheme)).NilChance(0.3).NumElements(0, 3)
	for i := range 300 {
		p := &corev1.Pod{}
		random.Fill(p)
		sane(p)
		p.Name, p.UID = fmt.Sprint("p", i), types.UID(strconv.Itoa(i))
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "w", Controller: new(true)}}
		pods = append(pods, p)
	}
	feed, kept, fast := newPodFeed(), []ledger.Pod(nil), 0
	for _, p := range pods {
		want := feed.row(decoded(t, p))
		for range 2 {
			lean := leanOf(t, p)
			if own := feed.ownOf(lean); !own.debugged && feed.byWire.get(own.template) != nil {
				fast++
			}
			got, err := feed.rowOf(lean)
			if err != nil {
				t.Fatal(err)
			}
			if got.Template != want.Template {
				t.Fatalf("%s is of another template", p.Name)
			}
			kept = append(kept, got)
			if diff := cmp.Diff(want, got, refs, placements, noTemplate); diff != "" {
				t.Fatalf("row of %s (-whole +lean):\n%s", p.Name, diff)
			}
		}
	}
	if fast < len(pods)/4 || len(kept) != 2*len(pods) {
		t.Errorf("%d of %d rows were made of what is known of a template", fast, len(kept))
	}
}

// Pods of a DaemonSet have their node in their affinity, and those that have finished have no template: what their images are follows
// from what is known of others.
func TestPodsWithoutATemplateAreNotDecodedEither(t *testing.T) {
	onNode := func(i int) *corev1.Pod {
		p := replicaOf(1, i)
		p.OwnerReferences[0].Kind, p.Spec.NodeName = "DaemonSet", fmt.Sprint("node-", i)
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{
				{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{p.Spec.NodeName}},
			}}},
		}}}
		return p
	}
	done := replicaOf(1, 4)
	done.Status.Phase = corev1.PodSucceeded
	unbound, static, debugged := onNode(5), onNode(6), onNode(7)
	unbound.Spec.NodeName, static.OwnerReferences[0].Kind, static.OwnerReferences[0].APIVersion = "", "Node", "v1"
	debugged.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "d", Image: "debug:1"}}}
	feed, whole := newPodFeed(), newPodFeed()
	var kept []ledger.Pod
	for _, test := range []struct {
		about string
		pod   *corev1.Pod
		known bool
	}{
		{"a pod of a DaemonSet", onNode(1), false},
		{"another one", onNode(2), true},
		{"one that is debugged", debugged, false},
		{"one that is not bound", unbound, false},
		{"a static pod", static, false},
		{"a static pod that changes", static, false},
		{"a replica", replicaOf(1, 3), false},
		{"one that has finished", done, true},
	} {
		lean := leanOf(t, test.pod)
		own := feed.ownOf(lean)
		if _, known, err := feed.usualRow(lean, &own); known != test.known || err != nil {
			t.Errorf("%s: its spec is known: %v, want %v: %v", test.about, known, test.known, err)
		}
		got, err := feed.rowOf(lean)
		if err != nil {
			t.Fatal(err)
		}
		want := whole.row(decoded(t, test.pod))
		if diff := cmp.Diff(want, got, refs, placements, noTemplate); diff != "" || (want.Template == nil) != (got.Template == nil) {
			t.Errorf("%s: row (-whole +lean), with a template %v and %v:\n%s", test.about, want.Template != nil, got.Template != nil, diff)
		}
		kept = append(kept, got)
	}
	runtime.KeepAlive(kept) // with it, what is known of their templates
}

// What is known of a template by its bytes goes with it, and pods that are numbered don't add up.
func TestTemplatesByTheirBytesAreBounded(t *testing.T) {
	feed, kept := newPodFeed(), []ledger.Pod(nil)
	for i := range 50 {
		p := replicaOf(1, i)
		if i%2 == 0 {
			p.Labels["statefulset.kubernetes.io/pod-name"] = p.Name
		}
		row, err := feed.rowOf(leanOf(t, p))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, row)
	}
	if n := feed.byWire.len(); n != 1 {
		t.Errorf("%d encodings of a template are known, want the one that is the same for all", n)
	}
	runtime.KeepAlive(kept)
}

// Each pod of a DaemonSet names its node in its affinity, and pods of a StatefulSet have numbers. All but the first are decoded no
// further than their status.
func TestLeanPodsThatDifferInTheirNodesOrNumbers(t *testing.T) {
	for set, own := range map[string]func(p *corev1.Pod, i int){
		"DaemonSet": func(p *corev1.Pod, i int) {
			p.Spec.NodeName = fmt.Sprint("node-", i)
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{
					{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{p.Spec.NodeName}},
				}}},
			}}}
		},
		"StatefulSet": func(p *corev1.Pod, i int) { p.Labels["apps.kubernetes.io/pod-index"] = strconv.Itoa(i) },
	} {
		feed, kept := newPodFeed(), []ledger.Pod(nil)
		for i := range 4 {
			p := replicaOf(1, i)
			p.OwnerReferences[0].Kind = set
			own(p, i)
			lean := leanOf(t, p)
			has := feed.ownOf(lean)
			if _, usual, err := feed.usualRow(lean, &has); usual != (i > 0) || err != nil {
				t.Errorf("%s: pod %d is known: %v, %v", set, i, usual, err)
			}
			got, err := feed.rowOf(lean)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(newPodFeed().row(decoded(t, p)), got, refs, placements, noTemplate); diff != "" {
				t.Errorf("%s: row of pod %d (-whole +lean):\n%s", set, i, diff)
			}
			kept = append(kept, got)
		}
		runtime.KeepAlive(kept) // with it, what is known of their templates
	}
}

// There may be any number of DaemonSets.
func TestSpecsOfPodsOfOneNodeAreBounded(t *testing.T) {
	feed := newPodFeed()
	for i := range 3 * maxTied {
		feed.tied.set(uint64(i), &specKnown{})
	}
	if n := len(feed.tied.young) + len(feed.tied.old); n > 2*maxTied {
		t.Errorf("%d are kept, want at most %d", n, 2*maxTied)
	}
}

func TestLeanPodsThatAreBroken(t *testing.T) {
	lean := leanOf(t, replicaOf(1, 1))
	lean.status, lean.encoded = []byte{0x0a, 0xff}, []byte{0x12, 0xff}
	feed := newPodFeed()
	if _, err := feed.rowOf(lean); err == nil {
		t.Error("a pod that is no message has a row")
	}
	if _, err := feed.rowOf(&corev1.Node{}); err == nil {
		t.Error("a node has a row of a pod")
	}
}
