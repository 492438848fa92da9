// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crowd_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/test/simnode/crowd"
)

// kubeletsFor makes this program one that only runs kubelets, so that what they
// cost is not counted: "1000 110 2" are kubelets, pods and interfaces of each.
const kubeletsFor = "HEADROOM_CROWD"

// token has the length of a ServiceAccount's.
var token = strings.Repeat("t", 900)

func TestMain(m *testing.M) {
	if asked := os.Getenv(kubeletsFor); asked != "" {
		os.Exit(serve(asked))
	}
	os.Exit(m.Run())
}

// serve runs kubelets until its input ends.
func serve(asked string) int {
	var o crowd.Options
	if _, err := fmt.Sscan(asked, &o.Kubelets, &o.Pods, &o.Interfaces); err != nil {
		return 2
	}
	c, err := crowd.Start(o, time.Now)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Close()
	if err := json.NewEncoder(os.Stdout).Encode(c); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// start runs kubelets in another process until the test ends.
func start(tb testing.TB, o crowd.Options) *crowd.Crowd {
	tb.Helper()
	command := exec.CommandContext(tb.Context(), os.Args[0])
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d", kubeletsFor, o.Kubelets, o.Pods, o.Interfaces))
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = input.Close()
		_ = command.Wait()
	})
	var c crowd.Crowd
	if err := json.NewDecoder(output).Decode(&c); err != nil {
		tb.Fatalf("the kubelets did not start: %v", err)
	}
	return &c
}

func direct(tb testing.TB, c *crowd.Crowd) *kubelet.Client {
	tb.Helper()
	client, err := kubelet.Direct(kubelet.DirectOptions{CAPEM: c.CAPEM, Token: func(context.Context) (string, error) { return token, nil }, SpareBandwidth: -1})
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

func readBytes(client *kubelet.Client) uint64 {
	n, _ := client.ReadBytes()
	return n
}

func TestEachKubeletOfACrowdAnswers(t *testing.T) {
	c := start(t, crowd.Options{Kubelets: 3, Pods: 2, Interfaces: 2})
	client := direct(t, c)
	for i, port := range c.Ports {
		s, err := client.Stats(t.Context(), kubelet.Target{Node: strconv.Itoa(i), Address: "127.0.0.1", Port: port})
		if err != nil || s.CapacityBytes != 100<<30 || s.AvailableBytes != 60<<30 || !s.SharedWithNodeFS {
			t.Errorf("kubelet %d: %+v, %v", i, s, err)
		}
	}
}

// BenchmarkPoll asks every kubelet once, 32 at a time, and reports what one answer
// costs this process: time of a processor, with that of its system calls, and bytes
// from the kubelets, with TLS and HTTP. Nothing is read but what is needed: in a
// cluster that large kubelet.DefaultSpareBandwidth comes on top, once for all.
func BenchmarkPoll(b *testing.B) {
	for _, o := range []crowd.Options{{Kubelets: 1000, Pods: 110, Interfaces: 2}, {Kubelets: 1000, Pods: 110, Interfaces: 112}, {Kubelets: 1000, Pods: 10, Interfaces: 2}} {
		name := fmt.Sprintf("%d_kubelets_%d_pods", o.Kubelets, o.Pods)
		if o.Interfaces > 2 {
			name += fmt.Sprintf("_%d_interfaces", o.Interfaces)
		}
		b.Run(name, func(b *testing.B) {
			c := start(b, o)
			client := direct(b, c)
			asked := 0
			before, received := processorTime(b), readBytes(client)
			for b.Loop() {
				inParallel(len(c.Ports), func(i int) {
					if _, err := client.Stats(b.Context(), kubelet.Target{Node: strconv.Itoa(i), Address: "127.0.0.1", Port: c.Ports[i]}); err != nil {
						b.Error(err)
					}
				})
				asked += len(c.Ports)
			}
			report(b, asked, processorTime(b)-before, readBytes(client)-received)
		})
	}
}

// BenchmarkPollReadingAll is what it was before: connections stay open, every answer
// is read and decoded to its end.
func BenchmarkPollReadingAll(b *testing.B) {
	b.Run("1000_kubelets_110_pods", func(b *testing.B) {
		c := start(b, crowd.Options{Kubelets: 1000, Pods: 110, Interfaces: 2})
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(c.CAPEM)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 1}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		var received, asked int
		var mu sync.Mutex
		ask := func(i int) {
			body, err := readAll(b.Context(), client, fmt.Sprintf("https://127.0.0.1:%d/stats/summary", c.Ports[i]))
			if err != nil {
				b.Error(err)
			}
			var whole struct{ Node statsv1alpha1.NodeStats }
			if err := json.Unmarshal(body, &whole); err != nil || whole.Node.Runtime == nil {
				b.Error("not a summary: ", err)
			}
			mu.Lock()
			defer mu.Unlock()
			received += len(body)
		}
		inParallel(len(c.Ports), ask) // connects
		received = 0
		before := processorTime(b)
		for b.Loop() {
			inParallel(len(c.Ports), ask)
			asked += len(c.Ports)
		}
		report(b, asked, processorTime(b)-before, uint64(received))
	})
}

func readAll(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body)
}

// inParallel calls do for 0 to n-1, 32 at a time.
func inParallel(n int, do func(i int)) {
	work := make(chan int)
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for i := range work {
				do(i)
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	workers.Wait()
}

// report also says what 15,000 kubelets would cost that are asked every 30 seconds.
func report(b *testing.B, asked int, used time.Duration, received uint64) {
	b.Helper()
	perPoll := used.Seconds() / float64(asked)
	bytes := float64(received) / float64(asked)
	const rate = 15_000 / 30
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perPoll*1e6, "cpu-µs/poll")
	b.ReportMetric(bytes, "B/poll")
	b.ReportMetric(perPoll*rate, "cores@15k/30s")
	b.ReportMetric(bytes*rate/1e6, "MB/s@15k/30s")
}

// processorTime is what this process has used, in user and kernel mode.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
