// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"

	"github.com/headroom-dev/headroom/policy"
)

// What is said around a sentence of message.go, whatever that is about.

// excepted is for a pod that an exception lets through; otherwise is what would be said without it.
func (w sentences) excepted(e *policy.Exception, otherwise string) string {
	return w.line("allowed by exception %s until %s: %s", shown(e.Name), shown(e.UntilText), strings.TrimPrefix(otherwise, topic))
}
