// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
	"github.com/headroom-dev/headroom/webhook"
)

// refusing refuses everything.
type refusing struct{}

func (refusing) Evaluate(fit.Request) fit.Decision {
	return fit.Decision{Action: fit.Deny, Mode: policy.Enforce, Verdict: verdict.EvictsPods, Message: "too large"}
}

// silentEvents takes Events for nobody.
type silentEvents struct{}

func (silentEvents) Record(controller.Event) {}

// TestRefusedPodsWithHugeOwnersLeaveNoMemory: the API server takes owner references of any length, and whoever may create pods
// may have as many of them refused as they like. The notices about them wait, in a process that has 512 MiB.
func TestRefusedPodsWithHugeOwnersLeaveNoMemory(t *testing.T) {
	const pods, size, limit = 20, 2 << 20, 4 << 20
	huge := strings.Repeat("x", size)
	for name, owners := range map[string][]metav1.OwnerReference{
		"the controller's UID":        {{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: types.UID(huge), Controller: new(true)}},
		"the controller's name":       {{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: huge, UID: "1", Controller: new(true)}},
		"the controller's kind":       {{APIVersion: "apps/v1", Kind: huge, Name: "web", UID: "1", Controller: new(true)}},
		"the controller's apiVersion": {{APIVersion: huge + "/v1", Kind: "ReplicaSet", Name: "web", UID: "1", Controller: new(true)}},
		"an owner beside it": {
			{APIVersion: "v1", Kind: "ConfigMap", Name: "web", UID: types.UID(huge)},
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "1", Controller: new(true)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := parts{notices: controller.NewNotices(controller.NoticesOptions{Events: silentEvents{}})}
			handler := webhook.NewPods(webhook.HandlerOptions{Evaluator: refusing{}, Tell: p.tell})
			before := heapInUse()
			for i := range pods {
				// The UIDs differ, or they would be one notice.
				refs := append([]metav1.OwnerReference(nil), owners...)
				refs[len(refs)-1].UID += types.UID(strconv.Itoa(i))
				refuse(t, handler, &corev1.Pod{
					TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
					ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: fmt.Sprint("web-", i), OwnerReferences: refs},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "nginx"}}},
				})
			}
			kept := heapInUse() - before
			t.Logf("%d notices keep %d KiB", pods, kept>>10)
			if kept > limit {
				t.Errorf("%d refused pods of 2 MiB keep %d MiB, want %d at most", pods, kept>>20, limit>>20)
			}
			runtime.KeepAlive(p)
		})
	}
}

// heapInUse is what is left after everything that nobody holds is gone.
func heapInUse() int64 {
	for range 3 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func refuse(t *testing.T, handler http.Handler, pod *corev1.Pod) {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "1", Operation: admissionv1.Create, Namespace: pod.Namespace, Name: pod.Name, Object: apiruntime.RawExtension{Raw: raw},
			Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}, Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/validate-pods?timeout=30s", bytes.NewReader(body)))
	if !strings.Contains(recorder.Body.String(), `"allowed":false`) {
		t.Fatalf("not refused: %.300s", recorder.Body)
	}
}
