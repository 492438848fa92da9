// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// failing is a test that only notes whether it would fail.
type failing struct {
	testing.TB

	failed bool
}

// Errorf implements [testing.TB].
func (f *failing) Errorf(string, ...any) { f.failed = true }

func TestWhatIsCountedHasToBeRecorded(t *testing.T) {
	const denied, warned, sentBack, invalid = "Deny pods", "Warn pods", "SendBack pods", "Deny configmaps"
	for about, c := range map[string]struct {
		counted  answers
		recorded []string
		fails    bool
	}{
		"nothing":                {},
		"as much":                {answers{1, 1, 1, 1}, []string{denied, warned, sentBack, invalid}, false},
		"more, of when it ended": {answers{Refused: 1}, []string{denied, denied, warned}, false},
		"one that counts none":   {answers{}, []string{denied}, false},
		"no refusal":             {answers{Refused: 1}, []string{warned, invalid}, true},
		"one warning too few":    {answers{Warned: 2}, []string{warned, denied}, true},
		"no binding":             {answers{SentBack: 1}, nil, true},
		"no setting":             {answers{RefusedSettings: 1}, []string{denied}, true},
	} {
		t.Run(about, func(t *testing.T) {
			var files []string
			for i, what := range c.recorded {
				var action, resource string
				if _, err := fmt.Sscan(what, &action, &resource); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(t.TempDir(), fmt.Sprint(i, ".json"))
				body := fmt.Appendf(nil, `{"review": {"request": {"resource": {"resource": %q}}, "response": {"auditAnnotations": {"action": %q}}}}`, resource, action)
				if err := os.WriteFile(path, body, 0o600); err != nil {
					t.Fatal(err)
				}
				files = append(files, path)
			}
			f := &failing{TB: t}
			checkAllRecorded(f, c.counted, files)
			if f.failed != c.fails {
				t.Errorf("fails: %v, want %v", f.failed, c.fails)
			}
		})
	}
}
