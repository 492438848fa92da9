// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// ResidentBytes is how much memory the process has now, and has had at most (VmRSS and VmHWM of /proc/PID/status).
func (p *Process) ResidentBytes(t testing.TB) (now, most int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		var kilobytes int64
		switch name {
		case "VmRSS", "VmHWM":
			if _, err := fmt.Sscan(value, &kilobytes); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
		switch name {
		case "VmRSS":
			now = kilobytes << 10
		case "VmHWM":
			most = kilobytes << 10
		}
	}
	return now, most
}
