// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"sync"
	"time"
)

// sayAgain is how long the log is spared a further line for the same reason. What keeps requests from being judged keeps many
// from it: a processor that is not free, a kind that nobody knows. Metrics count each of them.
const sayAgain = time.Minute

// said knows when something was said in the log. The zero value knows of nothing. It is safe for concurrent use.
type said struct {
	mu sync.Mutex
	at map[string]time.Time // guarded by mu; what is said is of a closed set
}

// lately reports whether it was said less than sayAgain ago, and otherwise takes it for said now.
func (s *said) lately(what string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, known := s.at[what]; known && now.Sub(at) < sayAgain {
		return true
	}
	if s.at == nil {
		s.at = make(map[string]time.Time)
	}
	s.at[what] = now
	return false
}
