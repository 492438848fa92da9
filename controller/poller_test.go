// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
)

func TestPollsEachNodeAtItsInterval(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, s *samples, _ *lockedBuffer) {
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(95 * time.Second)
		if diff := cmp.Diff([]int{1, 31, 61, 91}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
		want := ledger.Measurement{
			NodeUID: "1", CapacityBytes: 100, AvailableBytes: 40, SampledAt: t0, AgeAtReceipt: 3 * time.Second, ReceivedAt: s.last.ReceivedAt,
		}
		if diff := cmp.Diff(want, s.last); diff != "" || time.Since(s.last.ReceivedAt) > 5*time.Second {
			t.Errorf("measurement received at %v (-want +got):\n%s", s.last.ReceivedAt, diff)
		}
		if s.lines["a 1"].GCHighPercent != 90 || f.configs["a"] != 1 {
			t.Errorf("lines %v, asked %d times", s.lines, f.configs["a"])
		}
		p.NodeDeleted("a", "other")
		after(30 * time.Second)
		if got := f.times("a"); len(got) != 1 {
			t.Errorf("asked at %v after the end of another node of that name", got)
		}
		p.NodeDeleted("a", "1")
		after(time.Hour)
		if got := f.times("a"); got != nil || len(p.States()) != 0 {
			t.Errorf("asked at %v after it was deleted", got)
		}
	})
}

func TestConfigurationIsAskedOncePerBootAndDayAndAfterFailures(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, _ *samples, _ *lockedBuffer) {
		expect := func(when string, want int) {
			t.Helper()
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.configs["a"] != want {
				t.Errorf("%s: asked %d times, want %d", when, f.configs["a"], want)
			}
		}
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(10 * time.Minute)
		expect("first", 1)
		p.NodeSet(linuxNode("a", "1", "boot 2"), readyRow)
		after(10 * time.Minute)
		expect("after a boot", 2)
		f.set("a", errors.New("down"))
		after(5 * time.Minute)
		f.set("a", nil)
		after(10 * time.Minute)
		expect("after a failure", 3)
		after(24 * time.Hour)
		expect("a day later", 4)
		p.NodeSet(linuxNode("a", "2", "boot 2"), readyRow)
		after(time.Minute)
		expect("another node of that name", 5)
	})
}

func TestAKubeletThatHidesItsConfigurationIsStillMeasured(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, s *samples, logged *lockedBuffer) {
		f.noLines = &kubelet.Error{Reason: kubelet.ReasonForbidden}
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(21 * time.Minute)
		if s.samples["a"] < 40 || f.configs["a"] != 3 {
			t.Errorf("%d samples, configuration asked %d times, want over 40 and 3", s.samples["a"], f.configs["a"])
		}
		if state := p.States()[0]; !state.LinesFailed || state.Failures != 0 || p.Errors()[kubelet.ReasonForbidden] != 3 {
			t.Errorf("state %+v, errors %v", state, p.Errors())
		}
		if n := strings.Count(logged.String(), "does not tell its configuration"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, logged)
		}
	})
}

func TestBacksOffAndSaysSoOnce(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, s *samples, logged *lockedBuffer) {
		f.set("a", &kubelet.Error{Reason: kubelet.ReasonTimeout})
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		p.NodeSet(linuxNode("b", "2", "boot"), readyRow)
		after(5 * time.Second)
		// A pull there doesn't hurry a kubelet that fails.
		p.PodSet(ledger.Pod{UID: "p", NodeName: "a", Images: []ledger.PodImage{{}}})
		after(20*time.Minute - 5*time.Second)
		if diff := cmp.Diff([]int{1, 31, 91, 211, 451, 751, 1051}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
		if n := len(f.times("b")); n != 40 {
			t.Errorf("the other node was asked %d times, want 40", n)
		}
		state := p.States()[0]
		if state.Failures != 7 || state.Reason != kubelet.ReasonTimeout || !state.LastSuccess.IsZero() || p.Errors()[kubelet.ReasonTimeout] != 7 {
			t.Errorf("state %+v, errors %v", state, p.Errors())
		}
		f.set("a", nil)
		after(6 * time.Minute)
		if s.samples["a"] == 0 || p.States()[0].Failures != 0 {
			t.Errorf("not back: %+v", p.States()[0])
		}
		if got := logged.String(); strings.Count(got, "Kubelet does not answer") != 1 || strings.Count(got, "Kubelet answers again") != 1 {
			t.Errorf("log:\n%s", got)
		}
	})
}

func TestARebootEndsTheBackoff(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, _ *samples, _ *lockedBuffer) {
		f.set("a", &kubelet.Error{Reason: kubelet.ReasonTimeout})
		p.NodeSet(linuxNode("a", "1", "boot"), readyRow)
		after(500 * time.Second) // asked at 451, and next at 751
		for range 3 {
			p.NodeSet(linuxNode("a", "1", "another boot"), readyRow)
			after(time.Second)
		}
		if diff := cmp.Diff([]int{1, 31, 91, 211, 451, 500}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
	})
}
