// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory is what a process has in main memory.
type Memory struct {
	ResidentBytes int64 `json:"residentBytes"` // VmRSS
	PeakBytes     int64 `json:"peakBytes"`     // VmHWM
}

// MemoryOf reads it.
func MemoryOf(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	m, err := parseStatus(string(text))
	if err != nil {
		return Memory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return m, nil
}

func parseStatus(text string) (m Memory, err error) {
	for name, bytes := range map[string]*int64{"VmRSS:": &m.ResidentBytes, "VmHWM:": &m.PeakBytes} {
		if *bytes, err = kilobytes(text, name); err != nil {
			return Memory{}, err
		}
	}
	return m, nil
}

// kilobytes reads a line such as "VmRSS:      1234 kB", in bytes.
func kilobytes(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		value, found := strings.CutPrefix(line, name)
		if !found {
			continue
		}
		number, isKilobytes := strings.CutSuffix(strings.TrimSpace(value), " kB")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || !isKilobytes {
			return 0, fmt.Errorf("%s %q is no number of kB", name, strings.TrimSpace(value))
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("no line %s", name)
}
