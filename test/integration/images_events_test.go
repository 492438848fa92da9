// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/imagesize"
)

// TestImagesToldByEvents has a node pull an image of which only an event tells the size.
func TestImagesToldByEvents(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Off")
	stuckNode(t, "told")
	pod := podOf("told", "example.com/told:1")
	pod.Spec.NodeName = "told"
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), asJSON(t, pod), "create", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	events := shared.client.CoreV1().Events(metav1.NamespaceDefault)
	_, err := events.Create(t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "told.1"}, Reason: "Pulled", Type: corev1.EventTypeNormal,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: metav1.NamespaceDefault, Name: "told"},
		Source:         corev1.EventSource{Component: "kubelet", Host: "told"},
		Message:        `Successfully pulled image "example.com/told:1" in 1s (2s including waiting). Image size: 1000000000 bytes.`,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "pod", "told", "--force", "--grace-period=0")
		_ = events.Delete(context.Background(), "told.1", metav1.DeleteOptions{})
	})
	source := func(t *testing.T, args ...string) (source imagesize.Source, likely int64, stderr string) {
		t.Helper()
		r := headroom(t, "", append([]string{"images", "-o", "json", "--kubelet-via", "off", "--registry", "off"}, args...)...)
		var report struct {
			Images []struct {
				Name      string
				Source    imagesize.Source
				DiskBytes struct{ Likely int64 }
			}
		}
		if err := json.Unmarshal([]byte(r.stdout), &report); r.code != 0 || err != nil {
			t.Fatalf("exit code %d, %v, %s", r.code, err, r.stderr)
		}
		for _, image := range report.Images {
			if image.Name == "example.com/told:1" {
				return image.Source, image.DiskBytes.Likely, r.stderr
			}
		}
		t.Fatalf("the image is not there: %s", r.stdout)
		return "", 0, ""
	}
	if got, likely, stderr := source(t); got != imagesize.SourceEvent || likely != 1_000_000_000 || stderr != "" {
		t.Errorf("%d bytes from %q, %s; want 1 GB, as CRI-O reports unpacked bytes, from an event", likely, got, stderr)
	}
	reader := kubeconfigOf(t, "eventless", []string{`{apiGroups: [""], resources: [nodes, pods, namespaces, configmaps], verbs: [get, list]}`})
	got, _, stderr := source(t, "--kubeconfig", reader)
	if got != imagesize.SourceUnknown {
		t.Errorf("from %q without the right to list events", got)
	}
	matches(t, "the note", stderr, `note: what events of kubelets tell about pulls can't be read: cannot list events at cluster scope: user "eventless" needs list on events`)
}
