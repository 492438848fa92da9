// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keptComplaints is how much of what a child has written to its standard error is kept, its end.
const keptComplaints = 8 << 10

// Child is a running program.
type Child struct {
	command    *exec.Cmd
	in         io.WriteCloser
	out        *bufio.Reader
	complaints *tail
}

// Command says what to start.
type Command struct {
	Path string
	Args []string
	// Cores are the processors that it may run on, by number; none for all.
	Cores []int
}

// Start starts a program. Its standard input is a pipe that only Say writes to, so that it sees the parent's end, however that
// comes.
func Start(ctx context.Context, c Command) (*Child, error) {
	child := &Child{command: exec.CommandContext(ctx, c.Path, c.Args...), complaints: &tail{}}
	child.command.Stderr = child.complaints
	child.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := child.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	child.in = in
	out, err := child.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	child.out = bufio.NewReader(out)
	if err := startOn(c.Cores, child.command.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	return child, nil
}

// startOn runs start on a thread that may use these processors only: what it starts inherits that. The thread gets its own
// back and lives on, because a child is ended with the thread that started it (Pdeathsig).
func startOn(cores []int, start func() error) (err error) {
	if len(cores) == 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("which processors there are: %w", err)
	}
	for _, core := range cores {
		set.Set(core)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("keep it on processors %v: %w", cores, err)
	}
	defer func() { err = errors.Join(err, unix.SchedSetaffinity(0, &before)) }()
	return start()
}

// PID is its process id.
func (c *Child) PID() int { return c.command.Process.Pid }

// Say writes a line to its standard input.
func (c *Child) Say(line string) error {
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		return fmt.Errorf("%s does not listen: %w", c.command.Path, err)
	}
	return nil
}

// ReadLine reads the next line that it writes to its standard output.
func (c *Child) ReadLine() ([]byte, error) {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		_ = c.command.Process.Kill() // it may have ended by itself
		return nil, fmt.Errorf("%s ended: %w: %s", c.command.Path, errors.Join(err, c.command.Wait()), c.complaints)
	}
	return line, nil
}

// ReadJSON reads the next line as JSON.
func (c *Child) ReadJSON(v any) error {
	line, err := c.ReadLine()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("%s says %q: %w", c.command.Path, bytes.TrimSpace(line), err)
	}
	return nil
}

// Wait waits for its end.
func (c *Child) Wait() error {
	_, readErr := io.Copy(io.Discard, c.out)
	if err := c.command.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.command.Path, err, c.complaints)
	}
	return readErr
}

// Stop asks it to end, and ends it after a while. What it says to that is of no interest: it was measured before.
func (c *Child) Stop() {
	_ = c.in.Close()                              // it may wait for more to be said, and not for a signal
	_ = c.command.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	kill := time.AfterFunc(10*time.Second, func() { _ = c.command.Process.Kill() })
	defer kill.Stop()
	_ = c.Wait()
}

// Self is the path of this program.
func Self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("where this program is: %w", err)
	}
	return path, nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - keptComplaints; extra > 0 {
		t.text = t.text[extra:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
