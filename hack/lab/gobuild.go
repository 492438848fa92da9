// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// buildHeartbeat is how often a build that takes long says that it is still going.
const buildHeartbeat = 15 * time.Second

// goBuild builds one program into dir. The executable appears under its name only once it is whole.
func (p programs) goBuild(ctx context.Context, out io.Writer, module, dir string, prog program) error {
	target := filepath.Join(dir, prog.name)
	partial := target + ".partial"
	defer os.Remove(partial) // it is gone when the build went well

	cmd := goCommand(ctx, module, "build", "-v", "-buildvcs=false", "-ldflags", p.ldflags, "-o", partial, prog.pkg)
	cmd.Env = append(cmd.Env, p.env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("build %s: %w", prog.name, err)
	}
	var compiled atomic.Int64
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(buildHeartbeat)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				say(out, "  %s: %d packages compiled, %s so far\n", prog.name, compiled.Load(), time.Since(start).Round(time.Second))
			}
		}
	}()
	complaints := readBuildOutput(stderr, &compiled)
	err = cmd.Wait()
	close(done)
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", prog.name, err, strings.Join(complaints, "\n"))
	}
	if err := os.Rename(partial, target); err != nil {
		return err
	}
	say(out, "  %s: done in %s\n", prog.name, time.Since(start).Round(time.Second))
	return nil
}

// readBuildOutput counts the packages that go build -v names and keeps the last lines of everything else.
func readBuildOutput(r io.Reader, compiled *atomic.Int64) []string {
	const keep = 30
	var complaints []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "go: downloading") {
			continue
		}
		if !strings.ContainsAny(line, " \t") && !strings.HasPrefix(line, "#") {
			compiled.Add(1)
			continue
		}
		if complaints = append(complaints, line); len(complaints) > keep {
			complaints = complaints[1:]
		}
	}
	return complaints
}

// goCommand is a go command that runs in one module, whatever workspace or flags for tests surround it.
func goCommand(ctx context.Context, module string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOWORK=off", "PWD="+module)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	return cmd
}

// sourceDir is the folder of this package in the source tree, which holds the modules to build.
func sourceDir(ctx context.Context) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	cmd := goCommand(ctx, here, "list", "-m", "-f", "{{.Dir}}", "github.com/headroom-dev/headroom")
	out, err := cmd.Output()
	if err != nil {
		return "", errors.New("the lab builds from Headroom's source tree: run it from inside of that tree, with Go on the PATH")
	}
	return filepath.Join(strings.TrimSpace(string(out)), "hack", "lab"), nil
}

// lockFile waits until this process alone holds the lock at path.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil // closing gives the lock back
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			file.Close() // nothing was written
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			file.Close() // nothing was written
			return nil, fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}

// pause waits for d, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
