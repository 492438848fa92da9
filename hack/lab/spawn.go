// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// command is a long-running program of the lab.
type command struct {
	name     string
	path     string
	args     []string
	env      []string // added to this process's environment
	logFile  string
	detached bool // it outlives this process; otherwise it dies with it
}

// running is a program that was started by this process.
type running struct {
	Process

	logFile string
	exited  chan struct{} // closed once it has ended
	err     error         // how it ended; read after exited is closed
}

// start starts c and has its process written down before it returns.
func start(c command, record func(Process) error) (*running, error) {
	if err := os.MkdirAll(filepath.Dir(c.logFile), 0o750); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(c.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own handle

	cmd := exec.Command(c.path, c.args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if !c.detached {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	r := &running{logFile: c.logFile, exited: make(chan struct{})}
	r.Process, err = processOf(c.name, cmd.Process.Pid)
	go func() {
		r.err = cmd.Wait()
		close(r.exited)
	}()
	if err != nil { // it ended at once
		<-r.exited
		return nil, r.failure()
	}
	if err := record(r.Process); err != nil {
		return nil, fmt.Errorf("%w (and %v)", err, end(0, r.Process)) //nolint:errorlint // the first error is the one that counts
	}
	return r, nil
}

// until waits for ready to say yes. It fails early when the program ends, with the end of its log.
func (r *running) until(caller context.Context, timeout time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(caller, timeout)
	defer cancel()
	for {
		last := ready(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-r.exited:
			return r.failure()
		case <-ctx.Done():
			if caller.Err() != nil {
				return fmt.Errorf("wait for %s: %w", r.Name, context.Cause(caller))
			}
			return fmt.Errorf("%s is not ready after %s: %w; end of %s:\n%s", r.Name, timeout, last, r.logFile, tail(r.logFile))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// failure describes a program that ended although it should run.
func (r *running) failure() error {
	return fmt.Errorf("%s ended: %v; end of %s:\n%s", r.Name, r.err, r.logFile, tail(r.logFile)) //nolint:errorlint // r.err may be nil
}

// tail is the end of a log file.
func tail(path string) string {
	const lines = 12
	content, err := os.ReadFile(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// run runs a short command to its end; its output is part of the error.
func run(ctx context.Context, name string, args ...string) error {
	path, err := find(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// find is exec.LookPath that looks into the administrator's folders, too, which a user's PATH often lacks.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// say writes a line of progress. Whether anybody reads it changes nothing.
func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format, args...)
}
