// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// attachedGrace is how long [ControlPlane.End] lets a program finish what it does.
const attachedGrace = 30 * time.Second

// Attached is a program that runs beside the control plane and ends with it.
type Attached struct {
	// Name is what End and lab status call it; its output goes to logs/NAME.log.
	Name string
	// Command is the program and its arguments.
	Command []string
	// ReadyURL is asked until it answers 200, and ReadyText is looked for in the output. What is empty is not waited for.
	ReadyURL, ReadyText string
	// Timeout is for both together; 0 means a minute.
	Timeout time.Duration
}

// Run starts a program that outlives the caller, and returns when it is ready. [ControlPlane.Stop] and [Down] end it with the
// control plane. If it does not get ready it is ended, and the error has the last lines of its output.
func (c *ControlPlane) Run(ctx context.Context, a Attached) error {
	if a.Name == "" || strings.ContainsRune(a.Name, filepath.Separator) || len(a.Command) == 0 {
		return fmt.Errorf("run %q: give it a name without slashes, and a command", a.Name)
	}
	for _, p := range c.State().Processes {
		if p.Name == a.Name && p.Alive() {
			return fmt.Errorf("run %q: a program of that name runs already (process %d); end it first", a.Name, p.PID)
		}
	}
	logFile := filepath.Join(c.Dir, "logs", a.Name+".log")
	if err := os.RemoveAll(logFile); err != nil { // what an earlier one has said is no sign that this one is ready
		return err
	}
	r, err := start(command{name: a.Name, path: a.Command[0], args: a.Command[1:], logFile: logFile, detached: true}, c.state.recordProcess)
	if err != nil {
		return err
	}
	if a.Timeout <= 0 {
		a.Timeout = time.Minute
	}
	if err := r.until(ctx, a.Timeout, func(ctx context.Context) error { return a.ready(ctx, logFile) }); err != nil {
		_ = end(endGrace, r.Process) // the first error is the one that counts
		return err
	}
	return nil
}

// ready is nil once the program shows every sign that is asked for.
func (a Attached) ready(ctx context.Context, logFile string) error {
	if a.ReadyURL != "" {
		if err := healthy(ctx, http.DefaultClient, a.ReadyURL); err != nil {
			return err
		}
	}
	if a.ReadyText == "" {
		return nil
	}
	said, err := os.ReadFile(logFile)
	if err == nil && !strings.Contains(string(said), a.ReadyText) {
		err = fmt.Errorf("it has not said %q yet", a.ReadyText)
	}
	return err
}

// End ends the program of that name and waits until it is gone. One that has ended already, or never ran, is fine.
func (c *ControlPlane) End(name string) error {
	var found []Process
	for _, p := range c.State().Processes {
		if p.Name == name {
			found = append(found, p)
		}
	}
	return end(attachedGrace, found...)
}

// FreePorts finds n ports of the loopback interface that nothing listens on now.
func FreePorts(n int) ([]string, error) { return freePorts("127.0.0.1", n) }
