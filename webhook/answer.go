// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	admissionv1 "k8s.io/api/admission/v1"
)

// write sends a response. It uses the space of buffer.
func (h *Handler) write(w http.ResponseWriter, buffer *[]byte, response *admissionv1.AdmissionResponse) {
	body, err := appendReview((*buffer)[:0], response)
	if err != nil {
		h.Metrics.undecided(h.webhook, Unreadable)
		h.Log.Error(err, "AdmissionReview can't be encoded")
		http.Error(w, "internal error: the answer can't be encoded", http.StatusInternalServerError)
		return
	}
	*buffer = body
	header := w.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	if _, err := w.Write(body); err != nil {
		h.Log.V(1).Info("Answer was not taken", "reason", err.Error())
	}
}

var jsonType = []string{"application/json"}

// appendReview appends the AdmissionReview with a response, byte for byte as package encoding/json writes it. That one takes ten times
// as long.
func appendReview(b []byte, r *admissionv1.AdmissionResponse) ([]byte, error) {
	b = append(b, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`...)
	b = appendText(b, string(r.UID))
	b = append(b, `,"allowed":`...)
	b = strconv.AppendBool(b, r.Allowed)
	if r.Result != nil {
		status, err := json.Marshal(r.Result) // Few are refused.
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"status":`...), status...)
	}
	if len(r.AuditAnnotations) > 0 {
		b = append(b, `,"auditAnnotations":{`...)
		var few [16]string
		keys := few[:0]
		for key := range r.AuditAnnotations {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for i, key := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, key), ':')
			b = appendText(b, r.AuditAnnotations[key])
		}
		b = append(b, '}')
	}
	if len(r.Warnings) > 0 {
		b = append(b, `,"warnings":[`...)
		for i, warning := range r.Warnings {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, warning)
		}
		b = append(b, ']')
	}
	return append(b, "}}"...), nil
}

// appendText appends a string in quotes.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // of a string, there is no error
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
