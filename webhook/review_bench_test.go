// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook/decode"
)

// aReview is what an API server posts when a ReplicaSet makes a pod of two containers: 6.4 KB.
func aReview(t testing.TB) []byte {
	t.Helper()
	body, err := os.ReadFile("decode/testdata/review-of-6.4-KB.json")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// typedReview reads a review as webhooks usually do.
func typedReview(body []byte) (decode.Review, error) {
	req, version, err := readReview(body)
	if err != nil {
		return decode.Review{}, err
	}
	return decode.Review{APIVersion: version, Request: req}, nil
}

// typedPods is typedReview with the pods.
func typedPods(body []byte) (decode.Review, error) {
	read, err := typedReview(body)
	if err == nil {
		read.Object = &corev1.Pod{}
		err = utiljson.Unmarshal(read.Request.Object.Raw, read.Object)
	}
	return read, err
}

// BenchmarkReview is what one request costs without HTTP and TLS: to decode it only, and all of it.
func BenchmarkReview(b *testing.B) {
	body := aReview(b)
	for name, read := range map[string]func([]byte) (decode.Review, error){"typed": typedPods, "selective": decode.Pods} {
		b.Run("6.4_KB_pod/decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := read(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, read := range map[string]func([]byte) (decode.Review, error){"typed": typedReview, "selective": decode.Pods} {
		b.Run("6.4_KB_pod/whole/"+name, func(b *testing.B) {
			h := NewPods(worldOptions(b, policy.Warn, policy.OverridesNone, ""))
			h.read = read
			w := &discarded{header: http.Header{}}
			request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, PodsPath+"?timeout=2s", nil)
			request.ContentLength = int64(len(body))
			text := bytes.NewReader(nil)
			b.ReportAllocs()
			for b.Loop() {
				text.Reset(body)
				request.Body = io.NopCloser(text)
				h.ServeHTTP(w, request)
			}
			var answer admissionv1.AdmissionReview
			if err := utiljson.Unmarshal(w.last, &answer); err != nil || answer.Response.AuditAnnotations["verdict"] == "" {
				b.Fatalf("not judged: %s", w.last)
			}
		})
	}
}

// discarded is the answer to a request that nobody reads.
type discarded struct {
	header http.Header
	last   []byte
}

func (d *discarded) Header() http.Header { return d.header }
func (d *discarded) WriteHeader(int)     {}
func (d *discarded) Write(p []byte) (int, error) {
	d.last = append(d.last[:0], p...)
	return len(p), nil
}
