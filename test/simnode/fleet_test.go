// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

const mb = 1_000_000

// fastNode is a node of 1,000 MB whose kubelet does in milliseconds what others
// do in seconds, with images of 300 MB from DefaultCatalog.
func fastNode(name string) NodeSpec {
	return NodeSpec{
		Name: name,
		Config: disk.Config{
			DiskBytes: 1000 * mb, PullBytesPerSecond: -1, UnpackBytesPerSecond: -1, PreloadedImages: []string{PauseImage},
			EvictionPeriod: 20 * time.Millisecond, HousekeepingPeriod: 10 * time.Millisecond, ImageListPeriod: 20 * time.Millisecond,
			PressureTransition: 300 * time.Millisecond, ImageMinimumGCAge: time.Millisecond, PodCleanup: 10 * time.Millisecond,
		},
		StatusPeriod: 20 * time.Millisecond,
	}
}

// eventually polls for what another goroutine does over real time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func createPod(t *testing.T, client kubernetes.Interface, name, node, image string) {
	t.Helper()
	_, err := client.CoreV1().Pods("default").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID("uid-" + name)},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Name: "c", Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPodRunsAndIsRemoved(t *testing.T) {
	client := fakeClient(nil)
	startFleet(t, Options{Client: client, Nodes: []NodeSpec{fastNode("n1"), fastNode("n2")}})
	createPod(t, client, "p", "n1", "app:v1")
	var pod *corev1.Pod
	eventually(t, "pod runs", func() bool {
		pod, _ = client.CoreV1().Pods("default").Get(t.Context(), "p", metav1.GetOptions{})
		return pod != nil && pod.Status.Phase == corev1.PodRunning
	})
	c := pod.Status.ContainerStatuses[0]
	if !strings.HasPrefix(c.ImageID, "docker.io/library/app@sha256:") || c.State.Running == nil || c.State.Running.StartedAt.IsZero() || pod.Status.PodIP == "" {
		t.Errorf("status %+v", pod.Status)
	}

	var node *corev1.Node
	eventually(t, "image listed", func() bool {
		node, _ = client.CoreV1().Nodes().Get(t.Context(), "n1", metav1.GetOptions{})
		return node != nil && len(node.Status.Images) == 2
	})
	want := corev1.ContainerImage{Names: []string{c.ImageID, "docker.io/library/app:v1"}, SizeBytes: 100 * mb}
	if diff := cmp.Diff(want, node.Status.Images[0]); diff != "" {
		t.Errorf("first image (-want +got):\n%s", diff)
	}

	pod.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	if _, err := client.CoreV1().Pods("default").Update(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "pod removed", func() bool {
		_, err := client.CoreV1().Pods("default").Get(t.Context(), "p", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

func TestAnImageTooManyEvictsAndTheNodeSaysSo(t *testing.T) {
	client := fakeClient(nil)
	startFleet(t, Options{Client: client, Nodes: []NodeSpec{fastNode("n1")}, ManageTaints: true})
	for i, name := range []string{"p1", "p2", "p3"} {
		createPod(t, client, name, "n1", "app:v"+string(rune('1'+i)))
	}
	eventually(t, "a pod is evicted", func() bool {
		pods, _ := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
		for _, p := range pods.Items {
			if p.Status.Phase == corev1.PodFailed && p.Status.Reason == "Evicted" && strings.Contains(p.Status.Message, "low on resource: ephemeral-storage") {
				return true
			}
		}
		return false
	})
	// The taint comes with the condition, and both go again.
	for _, want := range []bool{true, false} {
		eventually(t, "DiskPressure and its taint follow", func() bool {
			node, _ := client.CoreV1().Nodes().Get(t.Context(), "n1", metav1.GetOptions{})
			condition, taint := false, false
			for _, c := range node.Status.Conditions {
				condition = condition || c.Type == corev1.NodeDiskPressure && c.Status == corev1.ConditionTrue
			}
			for _, s := range node.Spec.Taints {
				taint = taint || s.Key == corev1.TaintNodeDiskPressure
			}
			return condition == want && taint == want
		})
	}
}

func TestTheImageListIsCut(t *testing.T) {
	listed := make([]disk.ListedImage, 60)
	for i := range listed {
		listed[i] = disk.ListedImage{RepoDigests: []string{"a", "b", "c"}, RepoTags: []string{"d", "e", "f"}, ReportedBytes: int64(100 - i)}
	}
	for sentence, test := range map[string]struct{ limit, want int }{
		"at 50": {50, 50}, "not at -1": {-1, 60}, "to nothing at 0": {0, 0}, "not when it is shorter": {61, 60},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := images(listed, test.limit)
			if len(got) != test.want {
				t.Fatalf("%d images, want %d", len(got), test.want)
			}
			if test.want > 0 && cmp.Diff([]string{"a", "b", "c", "d", "e"}, got[0].Names) != "" {
				t.Errorf("names %v, want the digests first and five in all", got[0].Names)
			}
		})
	}
}

func TestParseFile(t *testing.T) {
	for sentence, test := range map[string]struct{ document, wantErr string }{
		"all of it": {document: `
speed: 10
nodes:
- {name: sim, count: 2, disk: 2Gi, otherUsed: 100Mi, evictionHard: {imagefs.available: 10%}, gcPeriod: 30s}
images:
  app:v1: {reported: 100Mi, disk: 300Mi}
  two: {layers: [{digest: "sha256:a", compressed: 1Mi, disk: 2Mi}]}
defaultImage: {reported: 50Mi}
`},
		"an unknown field":          {"nodez: []", `unknown field "nodez"`},
		"a node without a disk":     {"nodes: [{name: sim}]", "nodes[0]: needs a name and a disk size"},
		"a million nodes":           {"nodes: [{name: sim, count: 1000000, disk: 1Gi}]", "nodes[0]: count 1000000 must be"},
		"a disk less than reported": {"images: {a: {reported: 2Mi, disk: 1Mi}}", `images["a"]: disk 1Mi is less than reported 2Mi`},
		"an image without sizes":    {"images: {a: {}}", `images["a"]: reported must be more than 0`},
		"layers and sizes together": {"images: {a: {reported: 1, layers: [{digest: x}]}}", "not both"},
		"a name that is no image's": {"images: {'A b': {reported: 1}}", `image name "A b"`},
		"a quantity that is none":   {"nodes: [{name: sim, disk: big}]", "quantities must match"},
	} {
		t.Run(sentence, func(t *testing.T) {
			opts, err := ParseFile([]byte(test.document))
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Fatalf("error %v, want one with %q", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(opts.Nodes) != 2 || opts.Nodes[1].Name != "sim-2" || opts.Nodes[1].GCPeriod != 30*time.Second ||
				opts.Images.Images["app:v1"].ReportedBytes() != 100<<20 || opts.Images.Default == nil {
				t.Errorf("got %+v", opts)
			}
		})
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("nodes: [{name: sim, count: 2, disk: 2Gi}]\nimages: {a: {reported: 1Mi}}"))
	f.Fuzz(func(t *testing.T, document []byte) {
		opts, err := ParseFile(document)
		if err != nil {
			return
		}
		for _, spec := range opts.Nodes {
			if spec.Name == "" || spec.DiskBytes <= 0 {
				t.Errorf("node %+v", spec)
			}
		}
	})
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	client := fakeClient(nil)
	node := fastNode("n1")
	for sentence, test := range map[string]struct {
		opts    Options
		wantErr string
	}{
		"no API server":         {Options{Nodes: []NodeSpec{node}}, "rest config"},
		"no nodes":              {Options{Client: client}, "at least one node"},
		"two of one name":       {Options{Client: client, Nodes: []NodeSpec{node, node}}, `two nodes are called "n1"`},
		"no disk":               {Options{Client: client, Nodes: []NodeSpec{{Name: "n"}}}, `node "n": disk size`},
		"a bad threshold":       {Options{Client: client, Nodes: []NodeSpec{{Name: "n", EvictionHard: map[string]string{"imagefs.available": "x"}}}}, `node "n": evictionHard`},
		"a bad address":         {Options{Client: client, Nodes: []NodeSpec{node}, ListenAddress: "here"}, `listen address "here"`},
		"one port for all":      {Options{Client: client, Nodes: []NodeSpec{node, fastNode("n2")}, ListenAddress: "127.0.0.1", Port: 1}, "cannot share port 1"},
		"a CA that is none":     {Options{Client: client, Nodes: []NodeSpec{node}, ClientCAPEM: []byte("x")}, "client CA"},
		"a preload that is not": {Options{Client: client, Nodes: []NodeSpec{{Name: "n", Config: disk.Config{DiskBytes: 1, PreloadedImages: []string{"a"}}}}}, "no space left on device"},
	} {
		t.Run(sentence, func(t *testing.T) {
			f, err := Start(t.Context(), test.opts)
			if err == nil {
				f.Stop()
			}
			if err == nil || !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("error %v, want one with %q", err, test.wantErr)
			}
		})
	}
}
