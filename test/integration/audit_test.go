// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/headroom-dev/headroom/test/auditlog"
)

func auditEvents(t *testing.T) []auditlog.Event {
	t.Helper()
	return auditlog.Read(t, shared.plane.AuditLog)
}

func annotationsOf(t *testing.T, namespace, name string) map[string]string {
	t.Helper()
	return auditlog.PodAnnotations(t, shared.plane.AuditLog, namespace, name)
}
