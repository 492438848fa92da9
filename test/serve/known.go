// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

// HugePolicy is a policy by which HugeImage fits on no node that can be thought of, so that something is said about it.
const (
	HugeImage  = "example.com/huge:1"
	HugePolicy = "apiVersion: headroom.dev/v1alpha1\nkind: Policy\n" +
		"images: [{match: 'example.com/huge:*', size: 900Gi}]\nnodePools: [{name: all, selector: {}, elastic: false, imageFilesystem: 500Gi}]\n"
)

// Ledger returns all that the process knows of nodes and pods now, as it records it when it says something. HugePolicy must
// be in force.
func (p *Process) Ledger(t testing.TB) *ledger.Written {
	t.Helper()
	uid := types.UID(rand.Text())
	p.askAboutHugeImage(t, uid)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(p.recordings, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if known := knownWhen(t, file, uid); known != nil {
				return known
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing is recorded:\n%s", p.Log())
		}
	}
}

// knownWhen reads what was known when a review was answered, nil where the recording is of another review.
func knownWhen(t testing.TB, file string, uid types.UID) *ledger.Written {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var recording struct {
		Review admissionv1.AdmissionReview
		Known  struct{ Snapshot json.RawMessage }
	}
	if err := json.Unmarshal(body, &recording); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if recording.Review.Request.UID != uid {
		return nil
	}
	known := &ledger.Written{}
	if err := json.Unmarshal(recording.Known.Snapshot, known); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return known
}

func (p *Process) askAboutHugeImage(t testing.TB, uid types.UID) {
	t.Helper()
	pod, err := json.Marshal(corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "huge", Namespace: "default"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: HugeImage, ImagePullPolicy: corev1.PullIfNotPresent}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	review, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: uid, Operation: admissionv1.Create, Namespace: "default", Name: "huge",
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: pod},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it is the process that the test started
	defer client.CloseIdleConnections()
	response, err := client.Post(p.WebhookURL+"/validate-pods", "application/json", bytes.NewReader(review))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Response == nil || answer.Response.AuditAnnotations["message"] == "" {
		t.Fatalf("it says nothing about %s: %+v", HugeImage, answer.Response)
	}
}
