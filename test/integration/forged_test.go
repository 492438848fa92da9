// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/controller"
)

// TestForgedEvents: whoever may create Events in a namespace can write that any pod has been sent back. It counts for pods of that
// namespace only. That the API server takes what is tried here is part of the test.
func TestForgedEvents(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Enforce")
	full, _ := unequalNodes(t, "forged")
	p := startHeadroom(t)
	namespace(t, "forged", "forger")
	awaitSteering(t, p)
	pod := poolPod("victim", "forged", "example.com/big:1")
	pod.Spec.SchedulerName = "nobody"
	pod, err := shared.client.CoreV1().Pods("forged").Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sentBack := func() bool {
		err := shared.client.CoreV1().Pods("forged").Bind(t.Context(), &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: "victim"}, Target: corev1.ObjectReference{Kind: "Node", Name: full},
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "another node would do")
	}
	eventually(t, 10*time.Second, "the binding is sent back", sentBack)

	forge := func(namespace, name string, uid types.UID) {
		_, err := shared.client.CoreV1().Events(namespace).Create(t.Context(), &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, EventTime: metav1.NowMicro(),
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "forged", Name: "victim", UID: uid},
			Reason:         controller.SentBackReason, Action: "Binding", Type: corev1.EventTypeNormal,
			Source: corev1.EventSource{Component: "headroom"}, ReportingController: "headroom.dev/headroom", ReportingInstance: "headroom",
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range controller.SendBackLimit {
		forge("forger", fmt.Sprint("elsewhere-", i), pod.UID)
		forge("forged", fmt.Sprint("huge-", i), types.UID(strings.Repeat("x", 1<<20)))
	}
	time.Sleep(2 * time.Second) // many times what a watch takes
	if !sentBack() {
		t.Error("Events in one namespace keep a pod of another from being steered")
	}
	for i := range controller.SendBackLimit {
		forge("forged", fmt.Sprint("here-", i), pod.UID)
	}
	eventually(t, 10*time.Second, "forged Events of its own namespace let the binding through", func() bool { return !sentBack() })
}
