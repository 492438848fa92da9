// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestExceptions: who has an exception is let through, by the API server's log
// for its reason, and nobody else is.
func TestExceptions(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Enforce", `exceptions:
- {name: llm-move, namespaces: [excepted], images: ['example.com/big*'], allowance: 10Gi, reason: until the nodes have their new disks, until: 2126-12-31}
- {name: last-year, namespaces: [team], reason: an old migration, until: 2025-12-31}`)
	p := startHeadroom(t)
	awaitMode(t, p, "Enforce")
	namespace(t, "excepted")
	namespace(t, "team")
	awaitWebhook(t, p)

	for about, tc := range map[string]struct {
		namespace, image string
		// exception and undecided are the audit annotations.
		exception, undecided string
		denied               bool
	}{
		"an exception":                         {"excepted", "example.com/big:1", "llm-move", "excepted", false},
		"an image that it is not for":          {"excepted", "example.com/huge:1", "", "", true},
		"an exception that has expired":        {"team", "example.com/big:1", "", "", true},
		"nothing to let through":               {"excepted", "example.com/small:1", "", "", false},
		"nothing to let through, for nobody's": {"team", "example.com/small:1", "", "", false},
	} {
		t.Run(about, func(t *testing.T) {
			name := strings.ReplaceAll(strings.NewReplacer(",", "", "'", "").Replace(about), " ", "-")
			stderr, err := dryRun(t, tc.namespace, podOf(name, tc.image))
			if denied := err != nil; denied != tc.denied || !denied && stderr != "" {
				t.Errorf("kubectl said %q", stderr)
			}
			annotations := annotationsOf(t, tc.namespace, name)
			got := []string{annotations["exception"], annotations["undecided"]}
			if diff := cmp.Diff([]string{tc.exception, tc.undecided}, got); diff != "" {
				t.Errorf("annotations exception, undecided (-want +got)\n%s", diff)
			}
		})
	}
	if active, expired := p.Metric(t, "headroom_policy_exceptions", "state=active"), p.Metric(t, "headroom_policy_exceptions", "state=expired"); active != 1 || expired != 1 {
		t.Errorf("%v active and %v expired exceptions are counted", active, expired)
	}
	const expired = "exception last-year ended with 2025-12-31 and does nothing any more: remove it or give it another end"
	logged(t, p.Log, expired)

	check := headroom(t, asJSON(t, podOf("llm", "example.com/big:1")), "check", "-n", "excepted", "-f", "-", "--registry=off")
	golden(t, "check-exception.txt", check.stdout+check.stderr)
	if check.code != 0 {
		t.Errorf("check ends with %d", check.code)
	}
}
