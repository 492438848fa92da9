// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
)

// TestMessagesTellWhatThePolicyAllows: where it allows neither figures nor names, kubectl and Events have none.
func TestMessagesTellWhatThePolicyAllows(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Audit")
	p := startHeadroom(t)
	awaitWebhook(t, p)
	cases := []struct {
		mode, messages string
		figures, names bool
	}{
		// One mode after the other, as it is the mode by which the test sees which policy is in force.
		{"Warn", "{numbers: false}", false, false},
		{"Enforce", "{numbers: false}", false, false},
		{"Warn", "{nodeNames: true}", true, true},
		{"Enforce", "{nodeNames: true, numbers: false}", false, true},
	}
	var said strings.Builder
	for i, tc := range cases {
		ns := fmt.Sprint("messages-", i)
		namespace(t, ns)
		setPolicy(t, "mode: "+tc.mode, "messages: "+tc.messages)
		awaitMode(t, p, tc.mode)
		one := podOf("app", "example.com/big:1")
		one.Spec.NodeSelector = map[string]string{corev1.LabelHostname: anyNode(t)}
		create(t, ns, heldDeployment(2, "example.com/big:1"))
		anywhere, _ := dryRun(t, ns, podOf("app", "example.com/big:1"))
		bound, _ := dryRun(t, ns, one)
		var events []string
		eventually(t, 20*time.Second, "an Event", func() bool {
			events = saidIn(t, ns)
			return len(events) > 0
		})
		for _, line := range events {
			_, sentence, _ := strings.Cut(line, ": ")
			if got := strings.ContainsFunc(sentence, unicode.IsDigit); got != tc.figures {
				t.Errorf("messages %s: the Event %q has figures: %v", tc.messages, line, got)
			}
		}
		if got := strings.Contains(bound, anyNode(t)); got != tc.names {
			t.Errorf("messages %s: kubectl names the node: %v: %q", tc.messages, got, bound)
		}
		fmt.Fprintf(&said, "# mode: %s, messages: %s\n%s%s", tc.mode, tc.messages, anywhere, bound)
	}
	golden(t, "kubectl-messages.txt", said.String())
}

// anyNode is the first of the simulated nodes by name.
func anyNode(t *testing.T) string {
	t.Helper()
	names := strings.Fields(kubectl(t, "get", "nodes", "-o", "name"))
	slices.Sort(names)
	return strings.TrimPrefix(names[0], "node/")
}
