// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/policy"
)

// TestImagesThatEventsTellOf: node d pulls new:1, of which nobody but its kubelet's event tells a size.
func TestImagesThatEventsTellOf(t *testing.T) {
	told := fake.NewClientset(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p.1"}, Reason: "Pulled", Source: corev1.EventSource{Component: "kubelet", Host: "d"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "ns", Name: "p"},
		Message:        `Successfully pulled image "new:1" in 1s (1s including waiting). Image size: 1073741824 bytes.`,
	})
	refused := fake.NewClientset()
	refused.PrependReactor("list", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New(
			`User "jane" cannot list resource "events" in API group "" at the cluster scope`))
	})
	for what, c := range map[string]struct {
		client *fake.Clientset
		source imagesize.Source
		onDisk string
		notes  string
	}{
		"an event": {told, imagesize.SourceEvent, "~3Gi (0-4.5Gi)", ""},
		"none":     {fake.NewClientset(), imagesize.SourceUnknown, "?", ""},
		"events that may not be read": {
			refused, imagesize.SourceUnknown, "?",
			"note: what events of kubelets tell about pulls can't be read: cannot list events at cluster scope: user \"jane\" needs list on events\n",
		},
	} {
		t.Run(what, func(t *testing.T) {
			l := imagesWorld(t)
			var notes strings.Builder
			readPulled(t.Context(), c.client, l, &notes)
			if diff := cmp.Diff(c.notes, notes.String()); diff != "" {
				t.Errorf("notes (-want +got)\n%s", diff)
			}
			for _, image := range imagesOn(l.Snapshot(), policy.Default(), time.Unix(2, 0)).Images {
				if image.Name == "new:1" && (image.Source != c.source || image.onDisk() != c.onDisk) {
					t.Errorf("%s from %q, want %s from %q", image.onDisk(), image.Source, c.onDisk, c.source)
				}
			}
		})
	}
}
