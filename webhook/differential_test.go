// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/test/podtext"
	"github.com/headroom-dev/headroom/webhook/decode"
)

// happened is all that a review leads to.
type happened struct {
	Code          int
	Answer, Asked string
	Admitted      []types.UID
	Told          []Notice
}

// follow posts a review to a handler that reads it so, and that refuses what gets as far as a decision.
func follow(t *testing.T, body []byte, read func([]byte) (decode.Review, error)) happened {
	t.Helper()
	var is happened
	h := NewPods(HandlerOptions{
		Evaluator: evaluatorFunc(func(r fit.Request) fit.Decision {
			is.Asked += written(t, r)
			return refuse
		}),
		Admitted: func(uid types.UID) { is.Admitted = append(is.Admitted, uid) },
		Tell:     func(n Notice) { is.Told = append(is.Told, n) },
	})
	h.read = read
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, PodsPath, bytes.NewReader(body)))
	is.Code, is.Answer = w.Code, w.Body.String()
	return is
}

// written is everything that is asked.
func written(t *testing.T, r fit.Request) string {
	t.Helper()
	constraints, err := json.Marshal(r.Placement)
	if err != nil {
		t.Fatal(err)
	}
	key := r.Placement.Key()
	r.Placement = nil
	return fmt.Sprintf("%+v %s %s\n", r, constraints, key)
}

// sameAnswers holds what happens against what happens where the typed decoder reads the whole of everything. It reports whether
// somebody was asked for a decision.
func sameAnswers(t *testing.T, body []byte) (asked bool) {
	t.Helper()
	want := follow(t, body, typedReview)
	if diff := cmp.Diff(want, follow(t, body, decode.Pods)); diff != "" {
		t.Errorf("(-typed +selective):\n%s\n%s", diff, body)
	}
	return want.Asked != ""
}

// FuzzAnswers: whatever is posted, it is answered as if the typed decoder had read it.
func FuzzAnswers(f *testing.F) {
	f.Add(aReview(f))
	changed := aPod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "nginx" })
	f.Add(reviewOf(f, aPod()))
	f.Add(reviewOf(f, changed, updateOf(f, aPod())))
	f.Add(reviewOf(f, changed, updateOf(f, aPod()), subresource("ephemeralcontainers")))
	f.Add(reviewOf(f, aPod(), dryRun))
	f.Add(reviewOf(f, aPod(), func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = nil }))
	f.Add([]byte(`{"request":{"uid":"a","uid":"b","UID":"c","object":{},"object":null}}`))
	f.Fuzz(func(t *testing.T, body []byte) { sameAnswers(t, body) })
}

// FuzzAnswersToPods: the same of pods of all sorts.
func FuzzAnswersToPods(f *testing.F) {
	for seed := range uint64(32) {
		f.Add(seed, uint(seed%4), []byte(`[{"image":1}]`))
	}
	f.Fuzz(func(t *testing.T, seed uint64, times uint, other []byte) {
		sameAnswers(t, reviewOfText(seed, times, other))
	})
}

// reviewOfText is of a pod that was changed a few times, created or updated.
func reviewOfText(seed uint64, times uint, other []byte) []byte {
	m := podtext.New(seed, other)
	old := m.Pod()
	pod := old
	for range times % 8 {
		pod = m.Mutate(pod)
	}
	operation := admissionv1.Create
	if seed%4 == 0 {
		operation = admissionv1.Update
	}
	return fmt.Appendf(nil, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"%d","kind":{"version":"v1","kind":"Pod"},`+
		`"resource":{"version":"v1","resource":"pods"},"name":"n","namespace":"team-a","operation":"%s","object":%s,"oldObject":%s}}`, seed, operation, pod, old)
}

// TestSameAnswers does what FuzzAnswersToPods does.
func TestSameAnswers(t *testing.T) {
	const reviews = 3000
	judged := 0
	for i := range uint64(reviews) {
		if sameAnswers(t, reviewOfText(i, uint(i/2%4), nil)) {
			judged++
		}
	}
	// Else it would show nothing.
	if judged < reviews/6 || judged == reviews {
		t.Errorf("%d of %d reviews were judged", judged, reviews)
	}
}
