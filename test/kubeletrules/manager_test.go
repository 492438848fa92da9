// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeletrules

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/tools/record"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/kubernetes/pkg/kubelet/eviction"
	evictionapi "k8s.io/kubernetes/pkg/kubelet/eviction/api"
	"k8s.io/utils/clock"
)

// machine is a node as its eviction manager sees it: the file system of the images, on which it may delete unused ones once,
// an empty one for the kubelet where that is another, and one pod.
type machine struct {
	capacity, available, reclaimable int64
	inodes, inodesFree               int64
	shared                           bool

	reclaimed, evicted bool
}

func (m *machine) HasDedicatedImageFs(context.Context) (bool, error) { return !m.shared, nil }

func (m *machine) HasDedicatedContainerFs(context.Context) (bool, error) { return false, nil }

func (m *machine) DeleteUnusedImages(context.Context) error {
	if !m.reclaimed {
		m.reclaimed = true
		m.available += m.reclaimable
		m.inodesFree = m.inodes
	}
	return nil
}

func (m *machine) DeleteAllUnusedContainers(context.Context) error { return nil }

func (m *machine) Get(context.Context, bool) (*statsv1alpha1.Summary, error) {
	images, own := fsStats(m.capacity, m.available, m.inodes, m.inodesFree), fsStats(1<<40, 1<<40, 1<<20, 1<<20)
	if m.shared {
		own = images
	}
	return &statsv1alpha1.Summary{Node: statsv1alpha1.NodeStats{
		Fs: own, Runtime: &statsv1alpha1.RuntimeStats{ImageFs: images, ContainerFs: images},
	}}, nil
}

func (m *machine) GetCPUAndMemoryStats(ctx context.Context) (*statsv1alpha1.Summary, error) {
	return m.Get(ctx, false)
}

func fsStats(capacity, available, inodes, inodesFree int64) *statsv1alpha1.FsStats {
	number := func(n int64) *uint64 { return new(uint64(n)) }
	return &statsv1alpha1.FsStats{
		CapacityBytes: number(capacity), AvailableBytes: number(available), Inodes: number(inodes), InodesFree: number(inodesFree),
	}
}

// run lets an eviction manager work for two minutes, or until it evicts the pod. It reports whether there was disk pressure.
func (m *machine) run(t *testing.T, thresholds []evictionapi.Threshold) (pressure bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	kill := func(_ *corev1.Pod, _ bool, _ *int64, _ func(*corev1.PodStatus)) error {
		m.evicted = true
		cancel()
		return nil
	}
	manager, _ := eviction.NewManager(m, eviction.Config{Thresholds: m.thresholdsFor(thresholds), PressureTransitionPeriod: time.Hour},
		kill, m, m, &record.FakeRecorder{}, &corev1.ObjectReference{}, clock.RealClock{}, false)
	pods := []*corev1.Pod{{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}}
	manager.Start(ctx, m, func() []*corev1.Pod { return pods }, func(*corev1.Pod) bool { return true }, 10*time.Second)
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Minute):
	}
	cancel()
	synctest.Wait()
	pressure = manager.IsUnderDiskPressure()
	time.Sleep(time.Minute) // So that its goroutine is gone.
	return pressure
}

// withoutContainerFS drops thresholds for the file system of containers. A kubelet overwrites them, but only after its first
// pass, and one that is met in that pass stays in force until it is not.
func withoutContainerFS(config map[string]any) map[string]any {
	for _, field := range config {
		if values, ok := field.(map[string]string); ok {
			delete(values, string(evictionapi.SignalContainerFsAvailable))
			delete(values, string(evictionapi.SignalContainerFsInodesFree))
		}
	}
	return config
}

// thresholdsFor leaves out those of a file system of the kubelet's own: some are larger than any.
func (m *machine) thresholdsFor(thresholds []evictionapi.Threshold) []evictionapi.Threshold {
	return slices.DeleteFunc(slices.Clone(thresholds), func(threshold evictionapi.Threshold) bool {
		own := threshold.Signal == evictionapi.SignalNodeFsAvailable || threshold.Signal == evictionapi.SignalNodeFsInodesFree
		return own && !m.shared
	})
}

// What the eviction manager does is what our lines say it does: disk pressure below the line, and no pod evicted only if
// deleting images reaches the target.
func TestEvictionManagerKeepsToOurLines(t *testing.T) {
	seen := map[string]int{}
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(configurations) {
			c := chanceOf(seed)
			config := withoutContainerFS(c.configuration())
			if c.oneIn(2) {
				// Most random ones want more than there is.
				config["evictionMinimumReclaim"] = map[string]string{pick(c, signals[:2]...): fmt.Sprintf("%.1f%%", 0.1+5*c.Float64())}
			}
			theirs, ours, _, ok := both(t, config)
			if !ok {
				continue
			}
			// Small numbers, so that the lines are met to the byte; round ones leave nothing to the fractions of a byte.
			m := &machine{capacity: 1000 * (1 + c.Int64N(1<<20)), inodes: 1001, shared: c.oneIn(2)}
			line, target := ours.EvictionLineBytes(m.capacity, m.shared), ours.EvictionTargetBytes(m.capacity, m.shared)
			inodeLine := ours.InodeLine(m.inodes, m.shared)
			m.available = min(max(line+c.near(), 0), m.capacity)
			m.reclaimable = min(max(target+c.near()-m.available, 0), m.capacity-m.available)
			m.inodesFree = m.inodes
			if c.oneIn(4) {
				m.inodesFree = min(max(inodeLine+c.Int64N(3)-1, 0), m.inodes)
			}
			before := *m
			pressure := m.run(t, theirs)

			short := before.inodesFree < inodeLine
			if want := before.available < line || short; pressure != want {
				t.Fatalf("seed %d: %+v, line %d, inode line %d: disk pressure %t\n%s", seed, before, line, inodeLine, pressure, describe(config))
			}
			// How many inodes a reclaim frees is nobody's guess, and some minimum may ask for more than there are.
			if short || inodesNeverRecover(theirs, m.inodes) {
				seen["inodes"]++
				continue
			}
			evicts := before.available < line && before.available+before.reclaimable < target
			if m.evicted != evicts {
				t.Fatalf("seed %d: %+v, line %d, target %d: a pod evicted: %t\n%s", seed, before, line, target, m.evicted, describe(config))
			}
			switch {
			case evicts:
				seen["evicts"]++
			case pressure && target > line:
				seen["recovers past a minimum"]++
			case pressure:
				seen["recovers"]++
			case line > 0:
				seen["stays above a line"]++
			default:
				seen["no line"]++
			}
		}
	})
	t.Log(seen)
	for _, what := range []string{"inodes", "evicts", "recovers past a minimum", "recovers", "stays above a line", "no line"} {
		if seen[what] < configurations/100 {
			t.Errorf("only %d cases of %q", seen[what], what)
		}
	}
}

// near is a few bytes to either side, or many.
func (c chance) near() int64 {
	if c.oneIn(3) {
		return c.Int64N(1<<28) - 1<<27
	}
	return c.Int64N(5) - 2
}

// inodesNeverRecover reports whether the thresholds for inodes, with their minimum reclaim, want more of them than there are.
func inodesNeverRecover(thresholds []evictionapi.Threshold, inodes int64) bool {
	all := resource.NewQuantity(inodes, resource.DecimalSI)
	return slices.ContainsFunc(thresholds, func(threshold evictionapi.Threshold) bool {
		if !strings.HasSuffix(string(threshold.Signal), ".inodesFree") {
			return false
		}
		wanted := evictionapi.GetThresholdQuantity(threshold.Value, all)
		if threshold.MinReclaim != nil {
			wanted.Add(*evictionapi.GetThresholdQuantity(*threshold.MinReclaim, all))
		}
		return wanted.Cmp(*all) > 0
	})
}
