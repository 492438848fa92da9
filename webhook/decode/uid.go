// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import "k8s.io/apimachinery/pkg/types"

// UID returns the request.uid that comes first in an AdmissionReview, of which text is the beginning or all. It is for answers
// that depend on nothing else: what comes after it is not looked at.
func UID(text []byte) (uid types.UID, found bool) {
	s := scanner{data: text}
	if !s.find("request") || !s.find("uid") {
		return "", false
	}
	written, simple, ok := s.text()
	if !ok || !simple || len(written) == 0 {
		return "", false
	}
	return types.UID(written), true
}

// find goes to the value of a member of the object that comes next.
func (s *scanner) find(name string) bool {
	if !s.take('{') || s.next() == '}' {
		return false
	}
	for {
		got, simple, ok := s.text()
		switch {
		case !ok || !s.take(':'):
			return false
		case simple && string(got) == name:
			return true
		}
		if !s.skip() {
			return false
		}
		if another, _ := s.more('}'); !another {
			return false
		}
	}
}
