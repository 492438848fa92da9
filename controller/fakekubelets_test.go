// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// fakeKubelets answers as told, and writes down who was asked when.
type fakeKubelets struct {
	mu      sync.Mutex
	began   time.Time
	takes   time.Duration
	disk    kubelet.Stats
	hangs   map[string]bool // until it is given up
	down    map[string]error
	noLines error
	asked   map[string][]time.Duration
	configs map[string]int
	now     int
	most    int
}

func newFakeKubelets() *fakeKubelets {
	return &fakeKubelets{
		began: time.Now(), disk: kubelet.Stats{CapacityBytes: 100, AvailableBytes: 40, Age: 3 * time.Second, SampledAt: t0}, hangs: map[string]bool{},
		down: map[string]error{}, asked: map[string][]time.Duration{}, configs: map[string]int{},
	}
}

func (f *fakeKubelets) Stats(ctx context.Context, t kubelet.Target) (kubelet.Stats, error) {
	f.mu.Lock()
	f.asked[t.Node] = append(f.asked[t.Node], time.Since(f.began))
	f.now++
	f.most = max(f.most, f.now)
	err, takes, disk := f.down[t.Node], f.takes, f.disk
	if f.hangs[t.Node] {
		err, takes = &kubelet.Error{Reason: kubelet.ReasonTimeout}, 10*time.Second
	}
	f.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.mu.Lock()
	f.now--
	f.mu.Unlock()
	return disk, err
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

// hang makes a kubelet one that keeps whoever asks it waiting for ten seconds, in vain.
func (f *fakeKubelets) hang(node string, hangs bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hangs[node] = hangs
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
	ofNode    map[string]ledger.Measurement
	oldest    time.Duration // that a sample was when the next came
	lines     map[string]ledger.Lines
	forgotten []string
}

func newSamples() *samples {
	return &samples{samples: map[string]int{}, ofNode: map[string]ledger.Measurement{}, lines: map[string]ledger.Lines{}}
}

func (s *samples) SetMeasurement(node string, m ledger.Measurement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples[node]++
	if before, known := s.ofNode[node]; known {
		s.oldest = max(s.oldest, before.AgeAtReceipt+m.ReceivedAt.Sub(before.ReceivedAt))
	}
	s.last, s.ofNode[node] = m, m
}

// forgetAges begins anew with what oldest is.
func (s *samples) forgetAges() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldest = 0
	clear(s.ofNode)
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

// readyRow is of a node that is ready.
var readyRow = ledger.Node{Node: placement.Node{Ready: true}}

// polling runs a poller without jitter in a bubble of fake time.
func polling(t *testing.T, o PollerOptions, test func(p *Poller, f *fakeKubelets, s *samples, logged *lockedBuffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, s := newFakeKubelets(), newSamples()
		log, logged := logTo()
		if o.Random == nil {
			o.Random = func() float64 { return 0.5 }
		}
		if o.Phase == nil {
			o.Phase = func(string) float64 { return 1. / 30 } // the first second of 30
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
