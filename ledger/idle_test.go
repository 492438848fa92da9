// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/placement"
)

func TestGroupsAreKeptForPodsThatComeAgain(t *testing.T) {
	l := New()
	node := func(name, zone string) Node {
		return Node{Node: placement.Node{Name: name, Labels: map[string]string{"zone": zone}}, UID: types.UID(name)}
	}
	l.SetNode(node("a", "0"))
	l.SetNode(node("b", "0"))
	l.MarkSynced()
	waits := func(uid string, spec corev1.PodSpec) Pod {
		return Pod{UID: types.UID(uid), Namespace: "ns", Name: uid, Placement: placement.Of(&spec)}
	}
	inZone := func(zone string) corev1.PodSpec { return corev1.PodSpec{NodeSelector: map[string]string{"zone": zone}} }
	passes := func(uid string, spec corev1.PodSpec) {
		l.SetPod(waits(uid, spec), parkedAt)
		l.DeletePod(types.UID(uid), parkedAt)
	}
	passes("first", inZone("0"))
	kept := l.groups[placement.Of(new(inZone("0"))).Key()]
	if kept == nil || kept.kept == nil || l.next.candidates[kept.slot] != nil {
		t.Fatal("the group of a pod that was bound is forgotten, or still among those that wait")
	}
	l.SetNode(node("b", "1"))
	l.SetPod(waits("second", inZone("0")), parkedAt)
	if set := l.next.candidates[kept.slot]; set == nil || set.possibleCount != 1 || kept.pods != 1 || len(l.idle) != 0 {
		t.Error("a group that is back does not know what has become of a node meanwhile")
	}
	l.DeletePod("second", parkedAt)

	named := corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"a"}}}}},
	}}}}
	l.SetPod(waits("daemon", named), parkedAt)
	if set := l.next.candidates[l.pods["daemon"].group.slot]; set.possibleCount != 1 || !set.possible.has(l.nodes["a"].slot) {
		t.Errorf("a pod that names a node can land on %d", set.possibleCount)
	}
	l.DeletePod("daemon", parkedAt)
	if l.groups[placement.Of(&named).Key()] != nil {
		t.Error("the group of one node is kept")
	}
	for i := range 3 * maxIdleGroups {
		spec := corev1.PodSpec{Tolerations: []corev1.Toleration{{Key: strconv.Itoa(i), Operator: corev1.TolerationOpExists}}}
		passes(strconv.Itoa(i), spec)
	}
	l.SetNode(node("c", "0"))
	if len(l.groups) != maxIdleGroups || len(l.idle) != maxIdleGroups {
		t.Errorf("%d groups are kept, %d of them without a pod, want %d", len(l.groups), len(l.idle), maxIdleGroups)
	}
}
