// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"

	"github.com/headroom-dev/headroom/policy"
)

// What is said around a sentence of message.go, whatever that is about.

// orNewNode adds what an autoscaler may do for a pod that is warned about. Where no figures may be told, neither may be
// whether it is enough: that depends on a size that may be known because somebody else has the image.
func (w sentences) orNewNode(said string, s *survey) string {
	added := s.newNode(false)
	switch full := s.snapshot.Autoscaler().Full(); {
	case full, !s.grown():
		return said
	case !w.numbers:
		return w.and(said, "; an autoscaler may add nodes")
	case !added.holds:
		return said
	case !added.sure:
		return w.line("%s; whether a new node could take it is not known", strings.TrimPrefix(said, topic))
	case added.pool == nil:
		return w.and(said, "; a new node could take it")
	default:
		return w.and(said, "; a new node of pool "+shown(added.pool.Name)+" could take it")
	}
}

// excepted is for a pod that an exception lets through; otherwise is what would be said without it.
func (w sentences) excepted(e *policy.Exception, otherwise string) string {
	return w.line("allowed by exception %s until %s: %s", shown(e.Name), shown(e.UntilText), strings.TrimPrefix(otherwise, topic))
}
