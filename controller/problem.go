// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// problem remembers why something fails, so that it is logged once and not at each try.
type problem struct {
	last atomic.Pointer[string]
}

// occurred takes in how a try ended, nil for well. It returns what is wrong, without what differs from try to try, and whether
// that should be logged: it is another problem than the last one.
func (p *problem) occurred(err error) (what string, isNew bool) {
	if err != nil {
		what = string(apierrors.ReasonForError(err))
		if sentence, missing := MissingPermission(err); missing {
			what = sentence
		}
		if what == "" {
			what = "the API server can't be reached or answers with an error"
		}
	}
	last := p.last.Swap(&what)
	return what, what != "" && (last == nil || *last != what)
}
