// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process names one process for good: its ID alone would name another one once it is used again.
type Process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// StartTicks is when it started, in clock ticks since the machine did (field 22 of /proc/PID/stat).
	StartTicks uint64 `json:"startTicks"`
}

// processOf describes a process that runs now.
func processOf(name string, pid int) (Process, error) {
	ticks, err := startTicks(pid)
	return Process{Name: name, PID: pid, StartTicks: ticks}, err
}

// Alive says whether that very process still runs.
func (p Process) Alive() bool {
	ticks, err := startTicks(p.PID)
	return err == nil && ticks == p.StartTicks
}

// startTicks reads when a process started; a process that has ended but was not collected yet counts as gone.
func startTicks(pid int) (uint64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStartTicks(string(content))
}

// parseStartTicks reads a /proc/PID/stat line. The second field, the command, may hold spaces and parentheses.
func parseStartTicks(stat string) (uint64, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errors.New("no command in the stat line")
	}
	fields := strings.Fields(stat[end+1:])
	const state, start = 0, 19 // fields 3 and 22 of the whole line
	if len(fields) <= start {
		return 0, errors.New("stat line is too short")
	}
	if fields[state] == "Z" || fields[state] == "X" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(fields[start], 10, 64)
}

// end asks the processes to end, all at once, and kills those that are still there after grace. A process that is not the one
// that was written down is never touched.
func end(grace time.Duration, processes ...Process) error {
	var errs []error
	if grace > 0 {
		for _, p := range processes {
			errs = append(errs, p.signal(unix.SIGTERM))
		}
	}
	deadline := time.Now().Add(grace)
	for _, p := range processes {
		errs = append(errs, endAt(deadline, p))
	}
	return errors.Join(errs...)
}

// handle opens a handle of that very process; there is none when it has ended.
func (p Process) handle() (fd int, running bool) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return 0, false
	}
	if !p.Alive() { // asked after the handle was opened, so that the answer is about the handle's process
		unix.Close(fd) //nolint:errcheck // a handle, not a file
		return 0, false
	}
	return fd, true
}

// signal sends a signal; a process that has ended is fine.
func (p Process) signal(sig unix.Signal) error {
	fd, running := p.handle()
	if !running {
		return nil
	}
	defer unix.Close(fd) //nolint:errcheck // a handle, not a file
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %s (process %d) a signal: %w", p.Name, p.PID, err)
	}
	return nil
}

// endAt kills p at the deadline and waits for it to be gone.
func endAt(deadline time.Time, p Process) error {
	fd, running := p.handle()
	if !running {
		return nil
	}
	defer unix.Close(fd) //nolint:errcheck // a handle, not a file
	if waitGone(fd, time.Until(deadline)) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill %s (process %d): %w", p.Name, p.PID, err)
	}
	if !waitGone(fd, 10*time.Second) {
		return fmt.Errorf("%s (process %d) does not end, even killed", p.Name, p.PID)
	}
	return nil
}

// waitGone waits for the process of a handle to end.
func waitGone(fd int, timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	for {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())) //nolint:gosec // a small number
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return n > 0
	}
}
