// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package auditlog reads the API server's audit log for tests: what was asked
// of it, and what webhooks noted about that.
//
// Contract: a log of the lab's API server, one JSON object a line.
package auditlog

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Event is the part of an audit event that tests read.
type Event struct {
	AuditID    string
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  struct{ APIGroup, Resource, Namespace, Name, Subresource string }

	ResponseStatus struct{ Code int }
	Annotations    map[string]string
}

// Read reads all of the log at path, which has an entry before its request is
// answered.
func Read(t testing.TB, path string) []Event {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []Event
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var event Event
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

// PodAnnotations is what the webhook pods.headroom.dev wrote about the last
// creation of a pod, without its name before each key.
func PodAnnotations(t testing.TB, path, namespace, name string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, event := range Read(t, path) {
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
