// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/headroom-dev/headroom/ledger"
)

// controlled is a pod of a controller, in namespace ns, on node.
func controlled(kind, owner, name, node string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := pod(name, "uid-"+name)
	p.Spec.NodeName = node
	p.Spec.Containers = []corev1.Container{{Name: "c", Image: "app:1"}}
	if kind != "" {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner, UID: types.UID(kind + "/" + owner), Controller: new(true)}}
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func withLabel(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels = map[string]string{key: value} }
}

func withImage(image string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Image = image }
}

func inNamespace(name string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Namespace = name } }

func TestWorkloads(t *testing.T) {
	type found struct {
		Workload string // kind, namespace/name
		Pods     int
		Nodes    []string
		Pod      string
	}
	hash := withLabel("pod-template-hash", "5d4")
	for name, test := range map[string]struct {
		pods      []*corev1.Pod
		namespace string
		want      []found
	}{
		"replicas of a Deployment are one": {
			pods: []*corev1.Pod{
				controlled("ReplicaSet", "web-5d4", "web-5d4-b", "n2", hash), controlled("ReplicaSet", "web-5d4", "web-5d4-a", "n1", hash),
				controlled("ReplicaSet", "web-5d4", "web-5d4-c", "n2", hash), controlled("ReplicaSet", "web-5d4", "web-5d4-d", "", hash),
			},
			want: []found{{"Deployment ns/web", 4, []string{"n1", "n2"}, "web-5d4-a"}},
		},
		"a rollout is two": {
			pods: []*corev1.Pod{
				controlled("ReplicaSet", "web-5d4", "web-5d4-a", "n1", hash),
				controlled("ReplicaSet", "web-77c", "web-77c-a", "n1", withLabel("pod-template-hash", "77c"), withImage("app:2")),
			},
			want: []found{{"Deployment ns/web", 1, []string{"n1"}, "web-5d4-a"}, {"Deployment ns/web", 1, []string{"n1"}, "web-77c-a"}},
		},
		"so is one of a StatefulSet": {
			pods: []*corev1.Pod{
				controlled("StatefulSet", "db", "db-0", "n1", withLabel("controller-revision-hash", "db-1")),
				controlled("StatefulSet", "db", "db-1", "n2", withLabel("controller-revision-hash", "db-2")),
			},
			want: []found{{"StatefulSet ns/db", 1, []string{"n1"}, "db-0"}, {"StatefulSet ns/db", 1, []string{"n2"}, "db-1"}},
		},
		"a controller may make pods of different images": {
			pods: []*corev1.Pod{
				controlled("Cluster", "ray", "ray-head", "n1"), controlled("Cluster", "ray", "ray-worker-1", "n1", withImage("worker:1")),
				controlled("Cluster", "ray", "ray-worker-2", "n2", withImage("worker:1")),
			},
			want: []found{{"Cluster ns/ray", 1, []string{"n1"}, "ray-head"}, {"Cluster ns/ray", 2, []string{"n1", "n2"}, "ray-worker-1"}},
		},
		"a ReplicaSet that no Deployment made": {
			pods: []*corev1.Pod{controlled("ReplicaSet", "web", "web-a", "n1"), controlled("ReplicaSet", "5d4", "5d4-a", "n1", hash)},
			want: []found{{"ReplicaSet ns/5d4", 1, []string{"n1"}, "5d4-a"}, {"ReplicaSet ns/web", 1, []string{"n1"}, "web-a"}},
		},
		"a Job, whoever made it": {
			pods: []*corev1.Pod{controlled("Job", "backup-28930412", "backup-28930412-x", "n1")},
			want: []found{{"Job ns/backup-28930412", 1, []string{"n1"}, "backup-28930412-x"}},
		},
		"pods that nothing controls": {
			pods: []*corev1.Pod{controlled("", "", "b", "n1"), controlled("", "", "a", "n1")},
			want: []found{{"Pod ns/a", 1, []string{"n1"}, "a"}, {"Pod ns/b", 1, []string{"n1"}, "b"}},
		},
		"what does not count": {pods: []*corev1.Pod{
			controlled("DaemonSet", "agent", "agent-x", "n1"), controlled("Node", "n1", "kube-proxy-n1", "n1"),
			controlled("Job", "once", "once-x", "n1", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
			controlled("Job", "once", "once-y", "n1", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }),
			controlled("", "", "leaving", "n1", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: t0} }),
		}},
		"two namespaces that name one controller": {
			pods: []*corev1.Pod{controlled("Job", "once", "a", "n1"), controlled("Job", "once", "b", "n2", inNamespace("team-b"))},
			want: []found{{"Job ns/once", 1, []string{"n1"}, "a"}, {"Job team-b/once", 1, []string{"n2"}, "b"}},
		},
		"of one namespace": {
			pods:      []*corev1.Pod{controlled("", "", "a", "n1"), controlled("", "", "b", "n1", inNamespace("team-b"))},
			namespace: "team-b", want: []found{{"Pod team-b/b", 1, []string{"n1"}, "b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []found
			for _, w := range workloadsOf(heldOf(test.pods), test.namespace) {
				got = append(got, found{w.Kind + " " + w.Namespace + "/" + w.Name, w.Pods, slices.Sorted(maps.Keys(w.Nodes)), w.Pod.Name})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWorkloadsAreThoseOfTheInformer(t *testing.T) {
	client := fake.NewClientset(controlled("", "", "a", "n1"))
	i, err := NewInformers(client, ledger.New(), InformerOptions{SyncTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	start(t, i.Start)
	wait(t, func() bool { return len(i.Workloads("")) == 1 })
	if found := i.Workloads("elsewhere"); len(found) != 0 {
		t.Errorf("%d workloads in a namespace without pods", len(found))
	}
}

// heldOf are the pods as a ledger has them that an informer fed.
func heldOf(pods []*corev1.Pod) iter.Seq[ledger.HeldPod] {
	l, feed := ledger.New(), newPodFeed()
	for _, p := range pods {
		l.SetPod(feed.row(p), t0)
	}
	return l.HeldPods()
}

func BenchmarkWorkloadsOf50000Pods(b *testing.B) {
	var pods []*corev1.Pod
	for number := range 50 {
		for workload := range 1000 {
			pods = append(pods, replicaOf(workload, number))
		}
	}
	held := heldOf(pods)
	for name, namespace := range map[string]string{"all": "", "one namespace": "team-7"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				workloadsOf(held, namespace)
			}
		})
	}
}
