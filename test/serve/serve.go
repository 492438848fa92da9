// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package serve runs the real `headroom serve` for tests, out of the cluster,
// and looks at it from outside: its log, its health and its metrics.
//
// Contract: a Process ends with its test. Ports are free ones on loopback. What it said to anybody is then said again by
// `headroom check`, or the test fails.
package serve

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options say what to run.
type Options struct {
	Kubeconfig string
	// Args follow the ones that every test needs.
	Args []string
	// NotReady returns as soon as the process runs, not when it is ready.
	NotReady bool
}

// Process is a running `headroom serve`.
type Process struct {
	HealthURL, MetricsURL, WebhookURL string

	command *exec.Cmd
	// recordings is the folder of --record.
	recordings string
	// counted is what its metrics told at its end.
	counted answers
	log     *logBuffer
	done    chan struct{}
}

// Start builds the program, once for all tests of a process, and runs it until
// the test ends. Its log is shown when the test fails.
func Start(t testing.TB, o Options) *Process {
	t.Helper()
	binary := Binary(t)
	health, metrics, webhook := freeAddress(t), freeAddress(t), freeAddress(t)
	p := &Process{
		HealthURL: "http://" + health, MetricsURL: "http://" + metrics + "/metrics", WebhookURL: "https://" + webhook,
		log: &logBuffer{}, done: make(chan struct{}), recordings: t.TempDir(),
	}
	args := append([]string{
		"serve", "--kubeconfig", o.Kubeconfig, "--webhook-url", p.WebhookURL,
		"--health-address", health, "--metrics-address", metrics, "--shutdown-delay", "0s", "-v", "1",
		"--record", p.recordings,
	}, o.Args...)
	p.command = exec.Command(binary, args...)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait() // a killed process has no exit code of interest; ExitCode tells
		close(p.done)
	}()
	t.Cleanup(func() {
		metrics := ""
		if t.Failed() {
			metrics = p.metrics()
		}
		p.Stop()
		if strings.Contains(p.Log(), "Reviews are not recorded") {
			t.Error("some reviews are not recorded: see the log")
		}
		replay(t, p.recordings, p.counted)
		if t.Failed() {
			t.Logf("headroom's log:\n%s\nits metrics:\n%s", p.Log(), metrics)
		}
	})
	if !o.NotReady {
		p.WaitReady(t, time.Minute)
	}
	return p
}

// Binary builds bin/headroom for tests and returns its path. It is built once a process.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// StaticBinary is the same program built as the Dockerfile does, for an image.
func StaticBinary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "headroom")
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, mainPackage)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build headroom: %v\n%s", err, out)
	}
	return path
}

const mainPackage = "github.com/headroom-dev/headroom/cmd/headroom"

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "headroom-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "headroom")
	out, err := exec.Command("go", "build", "-o", path, mainPackage).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build headroom: %w\n%s", err, out)
	}
	return path, nil
})

// WaitReady waits until /readyz says so.
func (p *Process) WaitReady(t testing.TB, timeout time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	for !p.Ready() {
		select {
		case <-p.done:
			t.Fatalf("headroom ended with code %d before it was ready:\n%s", p.ExitCode(), p.Log())
		case <-ctx.Done():
			t.Fatalf("headroom is not ready after %v:\n%s", timeout, p.Log())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Ready asks /readyz.
func (p *Process) Ready() bool {
	response, err := http.Get(p.HealthURL + "/readyz")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Stop ends it as Kubernetes does, with SIGTERM, and waits.
func (p *Process) Stop() {
	select {
	case <-p.done:
		return
	default:
	}
	p.counted = answersCounted(p.MetricsURL)
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended just now
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		p.kill()
	}
}

// Kill ends it without a chance to clean up, and waits. What it has said by then is recorded before: at once if it runs with
// --record-delay=0.
func (p *Process) Kill() {
	p.counted = answersCounted(p.MetricsURL)
	awaitRecorded(p.counted, p.recordings, 10*time.Second)
	p.kill()
}

func (p *Process) kill() {
	_ = p.command.Process.Kill() // it may have ended just now
	<-p.done
}

// Wait waits for its end.
func (p *Process) Wait(t testing.TB, timeout time.Duration) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(timeout):
		t.Fatalf("headroom still runs after %v:\n%s", timeout, p.Log())
	}
}

// ExitCode is the exit code of a process that has ended.
func (p *Process) ExitCode() int { return p.command.ProcessState.ExitCode() }

// Log is all that it has written so far.
func (p *Process) Log() string { return p.log.String() }

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// logBuffer is a buffer that may be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
