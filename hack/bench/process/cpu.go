// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// userHZ is the unit of times in /proc/PID/stat. It is part of the kernel's interface, and 100 a second wherever Go runs.
const userHZ = 100

// Where proc_pid_stat(5) has the fields, counted from the one behind the command's name.
const (
	fieldUserTime   = 11 // utime, field 14
	fieldSystemTime = 12 // stime, field 15
)

// CPU returns the processor time that a process has used, all its threads together, the ended ones too.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	used, err := parseStat(string(text))
	if err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return used, nil
}

// parseStat reads utime and stime. The command's name may hold anything, spaces and parentheses too: the last one ends it.
func parseStat(text string) (time.Duration, error) {
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return 0, errors.New("no command in parentheses")
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) <= fieldSystemTime {
		return 0, fmt.Errorf("%d fields behind the command, want more than %d", len(fields), fieldSystemTime)
	}
	var ticks int64
	for _, i := range []int{fieldUserTime, fieldSystemTime} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("field %d: %w", i+3, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / userHZ), nil
}
