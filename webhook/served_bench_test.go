// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	servedRounds   = 7
	servedRequests = 3000 // of each server in each round
	servedClients  = 8
)

// BenchmarkServed is what a request costs the process that serves it over TLS 1.3 and HTTP/1.1 connections that are kept: this
// webhook, with three nodes; the same with a decision that costs nothing; a handler that decodes as it does and does no more; one
// that looks for the UID and no more; and a webhook of controller-runtime that admits everything unseen. Each is a process of its
// own. They take turns, and what is reported are medians of the rounds. Run it with -benchtime=1x.
func BenchmarkServed(b *testing.B) {
	body := aReview(b)
	dir := certificateFiles(b)
	used := map[string][]float64{}
	for range b.N {
		processes := map[string]*servedProcess{}
		for name := range servedHandlers() {
			processes[name] = startServed(b, name, dir)
			processes[name].post(b, body, servedRequests/2) // warms up
		}
		for range servedRounds {
			for _, name := range servedNames() {
				used[name] = append(used[name], processes[name].post(b, body, servedRequests))
			}
		}
	}
	for _, name := range servedNames() {
		b.ReportMetric(median(used[name]), name+"-cpu-us/req")
		b.ReportMetric(ratioOf(used[name], used[controllerRuntime]), name+"/"+controllerRuntime)
	}
	b.ReportMetric(ratioOf(used["headroom"], used["no-decision"]), "headroom/no-decision")
}

// ratioOf is the median of the ratios of each round.
func ratioOf(these, those []float64) float64 {
	ratios := make([]float64, len(these))
	for i := range these {
		ratios[i] = these[i] / those[i]
	}
	return median(ratios)
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// certificateFiles makes a certificate, for files as controller-runtime wants them.
func certificateFiles(b *testing.B) (dir string) {
	b.Helper()
	dir = b.TempDir()
	certificate := selfSigned(b)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}, "tls.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// servedProcess is a process that serves, and who asks it.
type servedProcess struct {
	pid    int
	url    string
	client *http.Client
	asked  atomic.Int64
}

func startServed(b *testing.B, name, dir string) *servedProcess {
	b.Helper()
	free, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	command := exec.CommandContext(b.Context(), os.Args[0])
	command.Env = append(os.Environ(), servedVariable+"="+strings.Join([]string{name, address, dir}, " "))
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 25, Protocols: new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return &servedProcess{
		pid: command.Process.Pid, url: "https://" + address + PodsPath + "?timeout=2s", client: &http.Client{Transport: transport},
	}
}

// post sends n requests, each with a UID of its own, and returns how many microseconds of processors one took the server.
func (p *servedProcess) post(b *testing.B, body []byte, n int) float64 {
	b.Helper()
	const uid = "705ab4f5-6393-11e8-b7cc-42010a800002"
	before := p.used(b)
	var left atomic.Int64
	left.Store(int64(n))
	var clients sync.WaitGroup
	for range servedClients {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				own := fmt.Appendf(nil, "%036d", p.asked.Add(1))
				answer, err := p.client.Post(p.url, "application/json", bytes.NewReader(bytes.Replace(body, []byte(uid), own, 1)))
				if err != nil {
					b.Error(err)
					return
				}
				text, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				if !bytes.Contains(text, own) || !bytes.Contains(text, []byte(`"allowed":true`)) {
					b.Errorf("answer: %s", text)
					return
				}
			}
		})
	}
	clients.Wait()
	return (p.used(b) - before) / float64(n)
}

// used is how many microseconds of processors the process has had, by what the kernel's scheduler says of its threads.
func (p *servedProcess) used(b *testing.B) float64 {
	b.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.pid))
	if err != nil || len(threads) == 0 {
		b.Skipf("no /proc/PID/task/TID/schedstat on %s: %v", runtime.GOOS, err)
	}
	var sum float64
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		ran, _, _ := strings.Cut(string(text), " ")
		nanoseconds, err := strconv.ParseFloat(ran, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += nanoseconds / 1000
	}
	return sum
}
