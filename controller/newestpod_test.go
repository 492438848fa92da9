// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

func created(seconds int, change ...func(*corev1.Pod)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.CreationTimestamp = metav1.NewTime(t0.Add(time.Duration(seconds) * time.Second))
		for _, f := range change {
			f(p)
		}
	}
}

func TestTheNewestPodOfAWorkload(t *testing.T) {
	deployment := corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "ns", Name: "web", UID: "any"}
	set := corev1.ObjectReference{APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: "ns", Name: "db", UID: "StatefulSet/db"}
	before, after := withLabel("pod-template-hash", "5d4"), withLabel("pod-template-hash", "77c")
	deleted := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: t0} }
	for about, c := range map[string]struct {
		of   corev1.ObjectReference
		pods []*corev1.Pod
		want string
	}{
		"none": {of: deployment},
		"of a rollout, one of the new template": {
			of: deployment, want: "web-77c-a",
			pods: []*corev1.Pod{controlled("ReplicaSet", "web-77c", "web-77c-a", "n1", after, created(2)), controlled("ReplicaSet", "web-5d4", "web-5d4-z", "n1", before, created(1))},
		},
		"of one that is undone, one of the old template": {
			of: deployment, want: "web-5d4-b",
			pods: []*corev1.Pod{
				controlled("ReplicaSet", "web-5d4", "web-5d4-a", "n1", before, created(1)), controlled("ReplicaSet", "web-77c", "web-77c-a", "n1", after, created(2)),
				controlled("ReplicaSet", "web-5d4", "web-5d4-b", "n1", before, created(3)),
			},
		},
		"of two in one second, the last by name": {
			of: set, want: "db-1",
			pods: []*corev1.Pod{controlled("StatefulSet", "db", "db-1", "n1", created(1)), controlled("StatefulSet", "db", "db-0", "n1", created(1))},
		},
		"one that ends, or has ended, says nothing": {
			of: set, want: "db-0",
			pods: []*corev1.Pod{
				controlled("StatefulSet", "db", "db-0", "", created(1)), controlled("StatefulSet", "db", "db-1", "n1", created(2, deleted)),
				controlled("StatefulSet", "db", "db-2", "n1", created(3, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })),
			},
		},
		"of its like": {of: set, pods: []*corev1.Pod{
			controlled("StatefulSet", "cache", "cache-0", "n1"), controlled("", "", "db-0", "n1"), controlled("StatefulSet", "db", "db-0", "n1", inNamespace("elsewhere")),
			controlled("ReplicaSet", "db-5d4", "db-5d4-a", "n1", before),
		}},
		"of a Deployment's like": {of: deployment, pods: []*corev1.Pod{
			controlled("ReplicaSet", "web-5d4", "web-5d4-a", "n1"), controlled("ReplicaSet", "other-5d4", "other-5d4-a", "n1", before), controlled("Deployment", "x", "x", "n1"),
		}},
		"of a ReplicaSet that a Deployment made": {
			of:   corev1.ObjectReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: "ns", Name: "web-5d4", UID: "ReplicaSet/web-5d4"},
			pods: []*corev1.Pod{controlled("ReplicaSet", "web-5d4", "web-5d4-a", "n1", before)}, want: "web-5d4-a",
		},
	} {
		t.Run(about, func(t *testing.T) {
			client := fake.NewClientset()
			for _, p := range c.pods {
				if err := client.Tracker().Add(p); err != nil {
					t.Fatal(err)
				}
			}
			l := ledger.New()
			i, err := NewInformers(client, l, InformerOptions{SyncTimeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			start(t, i.Start)
			wait(t, func() bool { return l.Snapshot().Synced() })
			got := ""
			if p := i.NewestPod(c.of); p != nil {
				got = p.Name
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestHowManyShareANodeIsKept: of pods of one controller, too, that are not alike.
func TestHowManyShareANodeIsKept(t *testing.T) {
	labels := map[string]string{"app": "web"}
	apart := corev1.PodAffinityTerm{TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: labels}}
	spread := corev1.TopologySpreadConstraint{MaxSkew: 2, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: apart.LabelSelector}
	changes := map[string]func(*corev1.PodSpec){
		"nothing said": func(*corev1.PodSpec) {},
		"a port of the node": func(s *corev1.PodSpec) {
			s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 9}, {ContainerPort: 8, HostPort: 8}}
		},
		"anti-affinity": func(s *corev1.PodSpec) {
			s.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone"}, apart}}}
		},
		"a spread": func(s *corev1.PodSpec) { s.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{spread} },
	}
	for _, node := range []string{"n1", ""} {
		for about, change := range changes {
			p := controlled("StatefulSet", "db", "db-0", node, func(p *corev1.Pod) { p.Labels = labels; change(&p.Spec) })
			want := placement.PerNode(p)
			if (want == 0) != (about == "nothing said") {
				t.Fatalf("%s: %d of them share a node", about, want)
			}
			if got := placement.PerNode(slimPod(p)); got != want {
				t.Errorf("%s, on %q: %d share a node, want %d", about, node, got, want)
			}
			for _, w := range workloadsOf(heldOf([]*corev1.Pod{p}), "") {
				if got := placement.PerNode(w.Pod); got != want {
					t.Errorf("%s, on %q, of its workload: %d share a node, want %d", about, node, got, want)
				}
			}
		}
	}
}

func BenchmarkTheNewestOf50000Pods(b *testing.B) {
	var pods []*corev1.Pod
	for number := range 50_000 {
		pods = append(pods, replicaOf(number%1000, number/1000))
	}
	held := heldOf(pods)
	of := corev1.ObjectReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: "team-7", UID: types.UID("none")}
	b.ReportAllocs()
	for b.Loop() {
		newestOf(held, &of)
	}
}
