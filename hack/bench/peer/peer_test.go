// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
)

// serving runs a peer until the test ends.
func serving(t *testing.T, o Options) load.Target {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, o, in)
		in.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", o.Name, err)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var target load.Target
	if err := json.Unmarshal(line, &target); err != nil {
		t.Fatal(err)
	}
	target.PID = os.Getpid()
	return target
}

func TestEveryPeerAdmitsEveryRequestByEveryGenerator(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			f := fleet.Of(20, fleet.NearlyFull)
			f.PodsPerNode = 2
			target := serving(t, Options{Name: name, Fleet: f})
			for _, generator := range []string{load.Closed, load.Open, load.Vegeta} {
				m, err := load.Run(t.Context(), load.Plan{
					Target: target, Images: fleet.Wanted(), Generator: generator, Callers: 2, Rate: 100, Warmup: 10 * time.Millisecond, Duration: 100 * time.Millisecond,
				})
				if err != nil {
					t.Fatalf("%s: %v", generator, err)
				}
				if m.Errors > 0 || m.Requests == 0 || m.Latency.P50 <= 0 || m.Latency.P50 > m.Latency.Max || m.Memory.ResidentBytes == 0 {
					t.Errorf("%s: %+v", generator, m)
				}
			}
		})
	}
}

func TestUnknownPeerIsNamedWithAllThatThereAre(t *testing.T) {
	err := Run(t.Context(), Options{Name: "kyverno"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "kyverno") || !strings.Contains(err.Error(), SameDecoding) {
		t.Errorf("error %v", err)
	}
}

func TestUnknownGeneratorIsAnError(t *testing.T) {
	target := serving(t, Options{Name: Bare})
	if _, err := load.Run(t.Context(), load.Plan{Target: target, Images: fleet.Wanted(), Generator: "siege"}); err == nil {
		t.Error("it is run")
	}
}
