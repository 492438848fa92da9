// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/headroom-dev/headroom/test/simnode/crowd"

	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// PollingOptions say how many kubelets are asked.
type PollingOptions struct {
	Part

	Kubelets int
	// Duration is of one round.
	Duration time.Duration
}

const (
	// podsPerKubelet is how many pods a kubelet tells about.
	podsPerKubelet = 110
	// firstPolls is how long it may take until every kubelet was asked once. After that each has its turn, once an interval.
	firstPolls = 6 * time.Minute
)

// kubeletFlags are those of the kubelets in each situation.
var kubeletFlags = map[string][]string{
	result.FarFromLines:   {},
	result.NearLines:      {fmt.Sprint("--available-bytes=", 20<<30)},
	result.WithInterfaces: {fmt.Sprint("--available-bytes=", 20<<30), fmt.Sprint("--interfaces=", podsPerKubelet+2)},
}

// Polling runs a whole `headroom serve` that asks the kubelets of a synthetic API server's nodes, whose pods are not listed: that
// is measured elsewhere. Kubelets and API server have the load generator's processor.
func Polling(ctx context.Context, o PollingOptions) (*result.Polling, error) {
	r := &result.Polling{Run: o.begin()}
	headroom, err := o.buildHeadroom(ctx)
	if err != nil {
		return nil, err
	}
	api, err := o.build(ctx, "../..", synthetic, "synthapi")
	if err != nil {
		return nil, err
	}
	for _, situation := range result.Situations() {
		rounds, err := o.situation(ctx, headroom, api, situation)
		if err != nil {
			return nil, fmt.Errorf("kubelets %s: %w", situation, err)
		}
		r.Samples = append(r.Samples, rounds...)
	}
	r.LoadAfter = process.LoadAverage()
	return r, nil
}

// situation measures all rounds of one.
func (o *PollingOptions) situation(ctx context.Context, headroomProgram, apiProgram, situation string) ([]result.Polled, error) {
	kubelets, where, err := o.startKubelets(ctx, situation)
	if err != nil {
		return nil, err
	}
	defer kubelets.Stop()
	kubeconfig, ca := filepath.Join(o.Dir, "polling.kubeconfig"), filepath.Join(o.Dir, "kubelets.crt")
	if err := os.WriteFile(ca, where.CAPEM, 0o600); err != nil {
		return nil, err
	}
	api, err := process.Start(ctx, process.Command{Path: apiProgram, Cores: loadCores(), Args: []string{
		"--kubeconfig=" + kubeconfig, fmt.Sprint("--nodes=", o.Kubelets), "--pods=0", fmt.Sprint("--kubelet-port=", where.Ports[0]),
	}})
	if err != nil {
		return nil, err
	}
	defer api.Stop()
	if _, err := api.ReadLine(); err != nil { // It says so once it serves.
		return nil, err
	}
	headroom, err := o.startHeadroom(ctx, headroomProgram, kubeconfig, serverCores(), "--kubelet-via=direct", "--kubelet-certificate-authority="+ca, "--node-metrics=false")
	if err != nil {
		return nil, err
	}
	defer headroom.Stop()
	if err := headroom.ready(ctx, syncTimeout); err != nil {
		return nil, err
	}
	o.say("asking %d kubelets %s once each", o.Kubelets, situation)
	if err := o.allAsked(ctx, headroom); err != nil {
		return nil, err
	}
	var rounds []result.Polled
	for round := range o.Rounds {
		polled, err := o.round(ctx, headroom)
		if err != nil {
			return nil, err
		}
		polled.Round, polled.Situation, polled.Kubelets, polled.Pods = round, situation, o.Kubelets, podsPerKubelet
		rounds = append(rounds, *polled)
		o.say("round %d: %s: %.0f of %.0f polls a second, %.0f µs and %.0f bytes each: %.2f cores, %.1f MB/s, load %.1f", round+1, situation, polled.Polls/polled.Seconds,
			polled.Due(), polled.CPUSeconds/polled.Polls*1e6, polled.Bytes/polled.Polls, polled.Cores(), polled.BytesPerSecond()/1e6, process.LoadAverage())
	}
	return rounds, nil
}

// startKubelets starts this program as all kubelets.
func (o *PollingOptions) startKubelets(ctx context.Context, situation string) (*process.Child, *crowd.Crowd, error) {
	self, err := process.Self()
	if err != nil {
		return nil, nil, err
	}
	args := append([]string{"kubelets", fmt.Sprint("--kubelets=", o.Kubelets), fmt.Sprint("--pods=", podsPerKubelet)}, kubeletFlags[situation]...)
	child, err := process.Start(ctx, process.Command{Path: self, Args: args, Cores: loadCores()})
	if err != nil {
		return nil, nil, err
	}
	var where crowd.Crowd
	return child, &where, child.ReadJSON(&where)
}

// allAsked waits until each kubelet was asked.
func (o *PollingOptions) allAsked(ctx context.Context, headroom *service) error {
	for deadline := time.Now().Add(firstPolls); ; time.Sleep(2 * time.Second) {
		a, err := headroom.asked(ctx)
		switch {
		case err != nil:
			return err
		case a.polls >= float64(o.Kubelets):
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("only %.0f of %d kubelets were asked in %s, %.0f questions failed", a.polls, o.Kubelets, firstPolls, a.failures)
		}
	}
}

// round is one stretch of time. Both ends are just behind a look at the metrics, of which one is in it: they take a moment.
func (o *PollingOptions) round(ctx context.Context, headroom *service) (*result.Polled, error) {
	before, err := headroom.asked(ctx)
	if err != nil {
		return nil, err
	}
	time.Sleep(o.Duration)
	after, err := headroom.asked(ctx)
	if err != nil {
		return nil, err
	}
	memory, err := process.MemoryOf(headroom.PID())
	return &result.Polled{
		Seconds: after.at.Sub(before.at).Seconds(), CPUSeconds: (after.used - before.used).Seconds(), Memory: memory,
		Polls: after.polls - before.polls, Bytes: after.bytes - before.bytes, Failures: after.failures - before.failures,
	}, err
}

// asked is what a service has counted of its questions to kubelets, and used of processors.
type asked struct {
	polls, bytes, failures float64

	at   time.Time
	used time.Duration
}

func (s *service) asked(ctx context.Context) (a asked, err error) {
	text, err := get(ctx, s.metricsURL)
	if err != nil {
		return a, err
	}
	a.at = time.Now()
	if a.used, err = process.CPU(s.PID()); err != nil {
		return a, err
	}
	for name, into := range map[string]*float64{
		"headroom_kubelet_polls_total": &a.polls, "headroom_kubelet_read_bytes_total": &a.bytes, "headroom_kubelet_poll_errors_total": &a.failures,
	} {
		if *into, err = sum(text, name, 0, nil); err != nil {
			return a, err
		}
	}
	return a, nil
}
