// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"math/rand"
	"reflect"
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
	"github.com/headroom-dev/headroom/placement"
)

// placements compares constraints by their key, which covers all but requests.
var placements = cmp.Comparer(func(a, b *placement.Constraints) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Key() == b.Key() && a.Requests().Equal(b.Requests())
})

// TestTransformsKeepEveryFieldThatIsRead holds conversion of a slim object against conversion of the whole one, for a
// fixture that has every field and for random objects.
func TestTransformsKeepEveryFieldThatIsRead(t *testing.T) {
	nodes, pods := []*corev1.Node{richNode()}, []*corev1.Pod{richPod()}
	bound := richPod()
	bound.Spec.NodeName, bound.Spec.SchedulingGates = "n", nil
	pods = append(pods, bound)
	random := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(1), serializer.NewCodecFactory(scheme.Scheme)).NilChance(0.3).NumElements(0, 3)
	for range 100 {
		n, p := &corev1.Node{}, &corev1.Pod{}
		random.Fill(n)
		random.Fill(p)
		sane(p)
		nodes, pods = append(nodes, n), append(pods, p)
	}
	for _, n := range nodes {
		slim := slimNode(n)
		if diff := cmp.Diff(NodeOf(n), NodeOf(slim), refs); diff != "" {
			t.Fatalf("row of a node (-whole +slim):\n%s", diff)
		}
		record := recordOf(t, n)
		if diff := cmp.Diff(NodeOf(n), record.whole(), refs); diff != "" {
			t.Fatalf("row of a node (-whole +record):\n%s", diff)
		}
		whole, wholeReason := TargetOf(n, false)
		target, reason := TargetOf(record.node(), false)
		if whole != target || wholeReason != reason {
			t.Fatalf("kubelet of a node: %v %q, slim %v %q", whole, wholeReason, target, reason)
		}
	}
	feed := newPodFeed()
	for i, object := range pods {
		p := decoded(t, object)
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: types.UID(strconv.Itoa(i % 3)), Controller: new(true)}}
		if diff := cmp.Diff(PodOf(p), PodOf(slimPod(p)), refs, placements); diff != "" {
			t.Fatalf("row of a pod (-whole +slim):\n%s", diff)
		}
		fed := feed.row(p)
		fed.Template = nil
		if diff := cmp.Diff(PodOf(p), fed, refs, placements); diff != "" {
			t.Fatalf("row of a pod (-whole +with what is known of its template):\n%s", diff)
		}
	}
}

// sane gives a random pod image names that parse and statuses of its own containers, which chance never does.
func sane(p *corev1.Pod) {
	names := []string{"app:1", "app@" + digestA, "registry.example.com/team/model:2"}
	for i := range p.Spec.Containers {
		p.Spec.Containers[i].Image = names[i%len(names)]
		if i < len(p.Status.ContainerStatuses) {
			p.Status.ContainerStatuses[i].Name = p.Spec.Containers[i].Name
			p.Status.ContainerStatuses[i].ImageID = "docker.io/library/app@" + digestB
		}
	}
	for i := range p.Spec.Volumes {
		if p.Spec.Volumes[i].Image != nil {
			p.Spec.Volumes[i].Image.Reference = names[i%len(names)]
		}
	}
}

func TestTransformsDropTheRest(t *testing.T) {
	n, p := slimNode(richNode()), slimPod(richPod())
	if n.ManagedFields != nil || n.Annotations != nil || n.Spec.ProviderID != "" || len(n.Status.Conditions) != 2 || len(n.Status.Capacity) != 1 {
		t.Errorf("slim node has fields that nobody reads: %v", n)
	}
	if p.ManagedFields != nil || p.Annotations != nil || p.Spec.Containers[0].Env != nil || len(p.Spec.Volumes) != 1 || p.Spec.Affinity.PodAffinity != nil {
		t.Errorf("slim pod has fields that nobody reads: %v", p)
	}
	if s := p.Status.ContainerStatuses[0]; s.LastTerminationState.Terminated.Message != "" || len(s.VolumeMounts) != 1 {
		t.Errorf("slim status has fields that nobody reads: %v", s)
	}
	if n.ResourceVersion != "7" || p.ResourceVersion != "3" {
		t.Errorf("resource versions %q and %q, which the reflector continues from", n.ResourceVersion, p.ResourceVersion)
	}
}

func TestTransformsAreIdempotentAndPassOthers(t *testing.T) {
	n, p := slimNode(richNode()), slimPod(richPod())
	if again := slimNode(n); !reflect.DeepEqual(n, again) {
		t.Errorf("second transform changes a node:\n%s", cmp.Diff(n, again))
	}
	if again := slimPod(p); !reflect.DeepEqual(p, again) {
		t.Errorf("second transform changes a pod:\n%s", cmp.Diff(p, again))
	}
	for _, transform := range []func(any) (any, error){newNodeFeed(nil).transform, newPodQueue(nil, nil, nil).Transformer()} {
		other := &corev1.ConfigMap{}
		if got, err := transform(other); err != nil || got != other {
			t.Errorf("another object becomes %v, %v", got, err)
		}
	}
}

// recordOf is what the cache has of a node.
func recordOf(t *testing.T, n *corev1.Node) *nodeRecord {
	t.Helper()
	object, err := newNodeFeed(func(string) *nodeRecord { return nil }).transform(n)
	if err != nil {
		t.Fatal(err)
	}
	return recordIn(object)
}

func slimmed[T any](t *testing.T, transform func(any) (any, error), obj *T) *T {
	t.Helper()
	slim, err := transform(obj)
	if err != nil {
		t.Fatal(err)
	}
	typed, ok := slim.(*T)
	if !ok {
		t.Fatalf("transform made a %T of a %T", slim, obj)
	}
	return typed
}

// BenchmarkPodOf100kPods is about what a first list of a large cluster costs.
func BenchmarkPodOf100kPods(b *testing.B) {
	p := richPod()
	p.Spec.NodeName = "n"
	var row ledger.Pod
	for b.Loop() {
		for range 100_000 {
			row = PodOf(p)
		}
	}
	if row.UID == "" {
		b.Fatal("no row")
	}
}
