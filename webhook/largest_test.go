// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/test/largest"
)

// TestLargestPods: a pod that is as large as can be is judged, and refused only for the image that it has besides.
func TestLargestPods(t *testing.T) {
	for _, image := range []string{smallImage, bigImage} {
		for kind, pod := range largest.Pods(image, largest.MaxBytes) {
			t.Run(kind+" and "+image, func(t *testing.T) {
				o := worldOptions(t, policy.Enforce, policy.OverridesNone, "")
				o.Metrics = NewMetrics(nil)
				// How long it takes is for benchmarks to say: the machine may be busy.
				answer := postWithin(t, NewPods(o), reviewOf(t, pod), "30s")
				if why := answer.AuditAnnotations[undecidedKey]; why == string(TimedOut) || why == string(Panicked) {
					t.Errorf("not judged: %v", answer.AuditAnnotations)
				}
				// No node has such labels.
				if refused := image == bigImage && kind != "Selector"; answer.Allowed == refused {
					t.Errorf("allowed %v: %v %v", answer.Allowed, answer.Result, answer.AuditAnnotations)
				}
				if panics := testutil.ToFloat64(o.Metrics.panics); panics != 0 {
					t.Errorf("%v panics", panics)
				}
			})
		}
	}
}

// TestTextsNobodyLetsThrough: what no API server lets through is answered, too, and refused for nothing that was not understood.
func TestTextsNobodyLetsThrough(t *testing.T) {
	container := func(fields string) string {
		return fmt.Sprintf(`{"spec":{"containers":[{"name":"c","image":%q%s}]}}`, bigImage, fields)
	}
	quantity := func(text string) string {
		return container(`,"resources":{"requests":{"cpu":` + text + `,"memory":` + text + `}}`)
	}
	texts := map[string]string{
		"null":                       `null`,
		"an array":                   `[]`,
		"no spec":                    `{"spec":null}`,
		"containers that are null":   `{"spec":{"containers":null,"volumes":[null,{"image":null},{"image":{}}]}}`,
		"a container that is null":   `{"spec":{"containers":[null]}}`,
		"deep nesting":               `{"spec":{"x":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}}`,
		"a name that is no text":     "{\"spec\":{\"containers\":[{\"image\":\"a\\u0000\\ud800\xff\"}]}}",
		"not a number":               quantity(`"NaN"`),
		"infinity":                   quantity(`"Inf"`),
		"a number beyond all others": quantity(`"1e999999999"`),
		"a very small one":           quantity(`"1e-9999"`),
		"one without a unit":         quantity(`1e308`),
		"a negative one":             quantity(`"-9223372036854775808"`),
		"many digits":                quantity(`"` + strings.Repeat("9", 100_000) + `"`),
	}
	for what, text := range texts {
		t.Run(what, func(t *testing.T) {
			o := worldOptions(t, policy.Enforce, policy.OverridesNone, "")
			o.Metrics = NewMetrics(nil)
			answer := post(t, NewPods(o), reviewOf(t, aPod(), func(r *admissionv1.AdmissionReview) { r.Request.Object.Raw = json.RawMessage(text) }))
			if understood := strings.Contains(text, bigImage) && answer.AuditAnnotations[undecidedKey] == ""; !answer.Allowed && !understood {
				t.Errorf("refused: %v %v", answer.Result, answer.AuditAnnotations)
			}
			if panics := testutil.ToFloat64(o.Metrics.panics); panics != 0 {
				t.Errorf("%v panics", panics)
			}
		})
	}
}
