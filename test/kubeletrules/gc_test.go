// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubeletrules

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/kubernetes/pkg/kubelet/container"
	"k8s.io/kubernetes/pkg/kubelet/images"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// oneImage is a runtime that has one image which nobody uses.
type oneImage struct {
	container.Runtime // Nothing else of it is called.

	bytes   int64
	removed bool
}

func (r *oneImage) ListImages(context.Context) ([]container.Image, error) {
	return []container.Image{{ID: "unused", Size: r.bytes}}, nil
}

func (r *oneImage) GetPods(context.Context, bool) ([]*container.Pod, error) { return nil, nil }

func (r *oneImage) RemoveImage(context.Context, container.ImageSpec) error {
	r.removed = true
	return nil
}

// fileSystem is a StatsProvider.
type fileSystem struct{ capacity, available uint64 }

func (f fileSystem) ImageFsStats(context.Context) (image, containers *statsv1alpha1.FsStats, err error) {
	stats := &statsv1alpha1.FsStats{CapacityBytes: &f.capacity, AvailableBytes: &f.available}
	return stats, stats, nil
}

// collect runs one garbage collection of the kubelet. It reports whether it deleted the image, and whether that was enough.
func collect(t *testing.T, capacity, available, imageBytes int64, high, low int) (deletes, enough bool) {
	t.Helper()
	runtime := &oneImage{bytes: imageBytes}
	policy := images.ImageGCPolicy{HighThresholdPercent: high, LowThresholdPercent: low}
	stats := fileSystem{uint64(capacity), uint64(available)}
	gc, err := images.NewImageGCManager(runtime, stats, nil, &record.FakeRecorder{}, &corev1.ObjectReference{}, policy, noop.NewTracerProvider())
	if err != nil {
		t.Fatal(err)
	}
	err = gc.GarbageCollect(t.Context(), time.Now())
	return runtime.removed, err == nil
}

func TestImageGarbageCollectionIsTheKubelets(t *testing.T) {
	collected, off := 0, 0
	for seed := range uint64(configurations) {
		c := chanceOf(seed)
		_, ours, kc, ok := both(t, c.configuration())
		if !ok {
			continue
		}
		high, low := int(kc.ImageGCHighThresholdPercent), int(kc.ImageGCLowThresholdPercent)
		if ours.GCHighPercent != high || ours.GCLowPercent != low {
			t.Fatalf("seed %d: from %d%% to %d%%, the kubelet has %d%% and %d%%", seed, ours.GCHighPercent, ours.GCLowPercent, high, low)
		}
		// Past 2^56 bytes a kubelet's own arithmetic overflows: it multiplies by 100.
		capacity := c.bytes(56)
		line := ours.GCLineBytes(capacity)
		if ours.GCOff {
			off++
			if high != 100 || kc.ImageMaximumGCAge.Duration != 0 || line != 0 {
				t.Fatalf("seed %d: garbage collection is off from %d%%, with a line of %d", seed, high, line)
			}
			continue
		}
		for _, available := range []int64{line - 1, line, line + 1, 0, capacity, c.Int64N(capacity + 1)} {
			if available < 0 || available > capacity {
				continue
			}
			wanted := max(disk.AmountToFree(capacity, available, low), 1)
			deletes, enough := collect(t, capacity, available, wanted, high, low)
			if deletes != (available < line) || deletes != disk.GCTriggered(capacity, available, high) {
				t.Fatalf("seed %d: with %d of %d bytes available and %d%%, the kubelet collects: %t; our line is %d", seed, available, capacity, high, deletes, line)
			}
			if !deletes {
				continue
			}
			collected++
			if !enough {
				t.Fatalf("seed %d: with %d of %d bytes available, %d bytes are not enough down to %d%%", seed, available, capacity, wanted, low)
			}
			if _, enough := collect(t, capacity, available, wanted-1, high, low); enough && wanted > 1 {
				t.Fatalf("seed %d: with %d of %d bytes available, one byte less than %d is enough down to %d%%", seed, available, capacity, wanted, low)
			}
		}
	}
	t.Logf("%d collections, %d kubelets with none", collected, off)
	if collected < configurations || off < configurations/20 {
		t.Error("too few cases to prove anything")
	}
}
