// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/headroom-dev/headroom/test/serve"
)

const configurationName = "headroom-out-of-cluster"

func TestWebhookSpeaksTLS13AndHTTP11Only(t *testing.T) {
	p := startHeadroom(t)
	address := strings.TrimPrefix(p.WebhookURL, "https://")
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if state := connection.ConnectionState(); state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("%s and %q, want TLS 1.3 and http/1.1", tls.VersionName(state.Version), state.NegotiatedProtocol)
	}
	if older, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		older.Close()
		t.Error("it speaks TLS 1.2")
	}
}

// registeredBy tells which process the registration is of, "" for no registration.
func registeredBy(t *testing.T) string {
	t.Helper()
	configuration, err := shared.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), configurationName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return configuration.Annotations["headroom.dev/registered-by"]
}

// TestSigterm: no new request is sent to a process that ends, and those that are under way are answered.
func TestSigterm(t *testing.T) {
	p := startHeadroom(t, "--shutdown-delay", "4s")
	awaitWebhook(t, p)
	began := time.Now()
	go p.Stop()
	eventually(t, 3*time.Second, "the registration is gone", func() bool { return registeredBy(t) == "" })
	response := review(t, p)
	if response == nil || !response.Allowed {
		t.Errorf("a request that comes while it drains is answered with %+v", response)
	}
	p.Wait(t, 20*time.Second)
	if took := time.Since(began); p.ExitCode() != 0 || took < 4*time.Second {
		t.Errorf("exit code %d after %v, want 0 after the delay of 4 s", p.ExitCode(), took)
	}
}

// TestKilled leaves a registration behind. It keeps no pod from being created, and the next process takes it over.
func TestKilled(t *testing.T) {
	p := startHeadroom(t)
	awaitWebhook(t, p)
	first := registeredBy(t)
	p.Kill()
	if left := registeredBy(t); left == "" || left != first {
		t.Fatalf("registered by %q after the kill, want by %q still", left, first)
	}
	if stderr, err := dryRun(t, "default", podOf("app", "example.com/small:1")); err != nil || stderr != "" {
		t.Errorf("without Headroom kubectl says %v %q, want nothing", err, stderr)
	}
	next := startHeadroom(t)
	awaitWebhook(t, next)
	if second := registeredBy(t); second == "" || second == first {
		t.Errorf("registered by %q, want by another process than %q", second, first)
	}
	next.Stop()
	if left := registeredBy(t); left != "" {
		t.Errorf("still registered by %q after the end", left)
	}
}

// review posts a pod's creation straight to the webhook; nil when it does not answer.
func review(t *testing.T, p *serve.Process) *admissionv1.AdmissionResponse {
	t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "direct", Operation: admissionv1.Create, Namespace: "default", Name: "app",
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: []byte(asJSON(t, podOf("app", "example.com/small:1")))},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Post(p.WebhookURL+"/validate-pods", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Log(err)
		return nil
	}
	defer response.Body.Close()
	var answer admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Response
}
