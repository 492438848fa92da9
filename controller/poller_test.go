// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
)

// fakeKubelets answers as told, and writes down who was asked when.
type fakeKubelets struct {
	mu      sync.Mutex
	began   time.Time
	takes   time.Duration
	down    map[string]error
	noLines error
	asked   map[string][]time.Duration
	configs map[string]int
	now     int
	most    int
}

func newFakeKubelets() *fakeKubelets {
	return &fakeKubelets{began: time.Now(), down: map[string]error{}, asked: map[string][]time.Duration{}, configs: map[string]int{}}
}

func (f *fakeKubelets) Stats(ctx context.Context, t kubelet.Target) (kubelet.Stats, error) {
	f.mu.Lock()
	f.asked[t.Node] = append(f.asked[t.Node], time.Since(f.began))
	f.now++
	f.most = max(f.most, f.now)
	err, takes := f.down[t.Node], f.takes
	f.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.mu.Lock()
	f.now--
	f.mu.Unlock()
	return kubelet.Stats{CapacityBytes: 100, AvailableBytes: 40, Age: 3 * time.Second, SampledAt: t0}, err
}

func (f *fakeKubelets) Config(_ context.Context, t kubelet.Target) (kubelet.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.configs[t.Node]++
	return kubelet.Config{ImageGCHighPercent: 90}, f.noLines
}

func (f *fakeKubelets) set(node string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[node] = err
}

// times returns when a node was asked since the last call, in whole seconds since the start.
func (f *fakeKubelets) times(node string) []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var seconds []int
	for _, at := range f.asked[node] {
		seconds = append(seconds, int(at.Round(time.Second)/time.Second))
	}
	delete(f.asked, node)
	return seconds
}

// samples is the kubelets' side of the ledger.
type samples struct {
	mu        sync.Mutex
	samples   map[string]int
	last      ledger.Measurement
	lines     map[string]ledger.Lines
	forgotten []string
}

func newSamples() *samples {
	return &samples{samples: map[string]int{}, lines: map[string]ledger.Lines{}}
}

func (s *samples) SetMeasurement(node string, m ledger.Measurement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples[node]++
	s.last = m
}

func (s *samples) SetLines(node string, uid types.UID, lines ledger.Lines) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines[node+" "+string(uid)] = lines
}

func (s *samples) ForgetMeasurement(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten = append(s.forgotten, node)
}

func linuxNode(name, uid, bootID string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid)},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}},
			NodeInfo:  corev1.NodeSystemInfo{BootID: bootID, OperatingSystem: "linux"},
		},
	}
}

// polling runs a poller without jitter in a bubble of fake time.
func polling(t *testing.T, o PollerOptions, test func(p *Poller, f *fakeKubelets, s *samples, logged *lockedBuffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, s := newFakeKubelets(), newSamples()
		log, logged := logTo()
		if o.Random == nil {
			o.Random = func() float64 { return 0.5 }
		}
		o.Log = log
		p := NewPoller(f, s, o)
		ctx, cancel := context.WithCancel(logr.NewContext(t.Context(), log))
		ended := make(chan error)
		go func() { ended <- p.Start(ctx) }()
		test(p, f, s, logged)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("end: %v", err)
		}
	})
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestPollsEachNodeAtItsInterval(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, s *samples, _ *lockedBuffer) {
		p.NodeSet(linuxNode("a", "1", "boot"), ledger.Node{})
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
		p.NodeSet(linuxNode("a", "1", "boot"), ledger.Node{})
		after(10 * time.Minute)
		expect("first", 1)
		p.NodeSet(linuxNode("a", "1", "boot 2"), ledger.Node{})
		after(10 * time.Minute)
		expect("after a boot", 2)
		f.set("a", errors.New("down"))
		after(5 * time.Minute)
		f.set("a", nil)
		after(10 * time.Minute)
		expect("after a failure", 3)
		after(24 * time.Hour)
		expect("a day later", 4)
		p.NodeSet(linuxNode("a", "2", "boot 2"), ledger.Node{})
		after(time.Minute)
		expect("another node of that name", 5)
	})
}

func TestAKubeletThatHidesItsConfigurationIsStillMeasured(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, s *samples, logged *lockedBuffer) {
		f.noLines = &kubelet.Error{Reason: kubelet.ReasonForbidden}
		p.NodeSet(linuxNode("a", "1", "boot"), ledger.Node{})
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
		p.NodeSet(linuxNode("a", "1", "boot"), ledger.Node{})
		p.NodeSet(linuxNode("b", "2", "boot"), ledger.Node{})
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
		p.NodeSet(linuxNode("a", "1", "boot"), ledger.Node{})
		after(500 * time.Second) // asked at 451, and next at 751
		for range 3 {
			p.NodeSet(linuxNode("a", "1", "another boot"), ledger.Node{})
			after(time.Second)
		}
		if diff := cmp.Diff([]int{1, 31, 91, 211, 451, 500}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
	})
}

func TestPollsOftenWhilePullsArePending(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, _ *samples, _ *lockedBuffer) {
		p.NodeSet(linuxNode("a", "1", "boot"), ledger.Node{})
		after(12 * time.Second) // asked at 1
		pulling := ledger.Pod{UID: "p", NodeName: "a", Images: []ledger.PodImage{{Pulled: true}, {}}}
		p.PodSet(pulling) // 11 seconds since the last: at once
		after(23 * time.Second)
		pulled := pulling
		pulled.Images = []ledger.PodImage{{Pulled: true}, {Pulled: true}}
		p.PodSet(pulled) // at 35, asked at 32: once more at 42, then at leisure
		after(40 * time.Second)
		if diff := cmp.Diff([]int{1, 12, 22, 32, 42, 72}, f.times("a")); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
	})
}

func TestPullsKnowWhereImagesAreMissing(t *testing.T) {
	missing := []ledger.PodImage{{}}
	p := newPulls()
	for _, step := range []struct {
		name string
		row  ledger.Pod
		want string
		on   bool
	}{
		{"not bound", ledger.Pod{UID: "1", Images: missing}, "", false},
		{"bound", ledger.Pod{UID: "1", NodeName: "a", Images: missing}, "a", true},
		{"again", ledger.Pod{UID: "1", NodeName: "a", Images: missing}, "", true},
		{"a second pod", ledger.Pod{UID: "2", NodeName: "a", Images: missing}, "", true},
		{"the first fails", ledger.Pod{UID: "1", NodeName: "a", Images: []ledger.PodImage{{Failing: true}}}, "", true},
		{"the second finished", ledger.Pod{UID: "2", NodeName: "a", Images: missing, Finished: true}, "a", false},
		{"on its way out", ledger.Pod{UID: "3", NodeName: "a", Images: missing, Deleting: true}, "", false},
	} {
		if got := p.set(step.row); got != step.want || p.on("a") != step.on {
			t.Errorf("%s: changed %q, pulls on a: %v, want %q, %v", step.name, got, p.on("a"), step.want, step.on)
		}
	}
	if len(p.nodeOf) != 0 || len(p.waiting) != 0 {
		t.Errorf("left behind: %v %v", p.nodeOf, p.waiting)
	}
}

func TestNodesThatCannotBeAskedAreNotAndShowIt(t *testing.T) {
	polling(t, PollerOptions{}, func(p *Poller, f *fakeKubelets, s *samples, logged *lockedBuffer) {
		n := linuxNode("a", "1", "boot")
		p.NodeSet(n, ledger.Node{})
		after(5 * time.Second)
		lost := n.DeepCopy()
		lost.Status.Addresses = nil
		for range 3 {
			p.NodeSet(lost, ledger.Node{})
		}
		after(10 * time.Minute)
		if got := f.times("a"); len(got) != 1 || p.States()[0].NotAsked != NoAddress || !slices.Equal(s.forgotten, []string{"a"}) {
			t.Errorf("asked at %v, state %+v, forgotten %v", got, p.States()[0], s.forgotten)
		}
		if n := strings.Count(logged.String(), "Kubelet is not asked"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, logged)
		}
		p.NodeSet(n, ledger.Node{})
		after(5 * time.Second)
		if got := f.times("a"); len(got) != 1 || p.States()[0].NotAsked != "" {
			t.Errorf("with an address again: asked at %v, state %+v", got, p.States()[0])
		}
	})
}

func TestPolls5000NodesWithinBoundsAndSpreadOut(t *testing.T) {
	const nodes = 5000
	random := uint64(1)
	o := PollerOptions{Concurrency: 16, Random: func() float64 {
		random = random*6364136223846793005 + 1442695040888963407
		return float64(random>>11) / (1 << 53)
	}}
	polling(t, o, func(p *Poller, f *fakeKubelets, s *samples, _ *lockedBuffer) {
		f.takes = 20 * time.Millisecond
		for i := range nodes {
			p.NodeSet(linuxNode(fmt.Sprintf("node-%d", i), "1", "boot"), ledger.Node{})
		}
		after(2 * time.Minute)
		perSecond := map[int]int{}
		for name, times := range f.asked {
			if len(times) < 3 {
				t.Fatalf("%s was asked %d times in two minutes", name, len(times))
			}
			for _, at := range times {
				perSecond[int(at/time.Second)]++
			}
		}
		if len(s.samples) != nodes || f.most > 16 {
			t.Errorf("%d nodes sampled, %d at a time", len(s.samples), f.most)
		}
		for second, n := range perSecond {
			if n > nodes/15 {
				t.Errorf("second %d had %d of %d nodes: not spread out", second, n, nodes)
			}
		}
	})
}
