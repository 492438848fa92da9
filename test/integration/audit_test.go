// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// auditEvent is the part of an audit event that the tests read.
type auditEvent struct {
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  struct{ APIGroup, Resource, Namespace, Name, Subresource string }

	ResponseStatus struct{ Code int }
	Annotations    map[string]string
}

// auditEvents reads the API server's audit log, which has an entry before the
// request is answered.
func auditEvents(t *testing.T) []auditEvent {
	t.Helper()
	file, err := os.Open(shared.plane.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []auditEvent
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var event auditEvent
		// The last line may be half written.
		if json.Unmarshal(lines.Bytes(), &event) == nil {
			all = append(all, event)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// annotationsOf is what the webhook wrote about the last creation of a pod,
// without its name before each key.
func annotationsOf(t *testing.T, namespace, name string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, event := range auditEvents(t) {
		ref := event.ObjectRef
		if event.Verb != "create" || ref.Resource != "pods" || ref.Subresource != "" || ref.Namespace != namespace || ref.Name != name {
			continue
		}
		clear(found)
		for key, value := range event.Annotations {
			if short, ours := strings.CutPrefix(key, "pods.headroom.dev/"); ours {
				found[short] = value
			}
		}
	}
	return found
}
