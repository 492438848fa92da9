// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// FuzzAppendReview: an answer is written byte for byte as encoding/json writes it.
func FuzzAppendReview(f *testing.F) {
	f.Add("u", true, "action", "Allow", "verdict", "Fits", "", "")
	f.Add("", false, "", "", "a", "", "image storage: <needs> ~10Gi & \"more\"\n", "\xff\u2028é\\")
	f.Fuzz(func(t *testing.T, uid string, allowed bool, key1, value1, key2, value2, warning, message string) {
		response := &admissionv1.AdmissionResponse{UID: types.UID(uid), Allowed: allowed}
		if key1 != "" {
			response.AuditAnnotations = map[string]string{key1: value1, key2: value2}
		}
		if warning != "" {
			response.Warnings = []string{warning, message}
		}
		if message != "" {
			response.Result = &metav1.Status{Message: message, Code: 403, Details: &metav1.StatusDetails{Name: warning}}
		}
		want, err := json.Marshal(&admissionv1.AdmissionReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Response: response,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendReview([]byte("before"), response)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("before"+string(want), string(got)); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
	})
}
