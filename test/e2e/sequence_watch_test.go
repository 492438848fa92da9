// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// pressureWatch follows a Node object: how often DiskPressure came, and what
// size each image had while it was listed.
type pressureWatch struct {
	mu   sync.Mutex
	on   bool
	came int
	last time.Time // when it came last
	// shortest is the shortest time that pressure lasted; 0 if it never ended.
	shortest time.Duration
	sizes    map[string]int64
}

func (p *pressureWatch) start(t *testing.T, node string) {
	t.Helper()
	p.sizes = map[string]int64{}
	ctx, cancel := context.WithCancel(t.Context())
	w, err := shared.client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + node})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	t.Cleanup(func() { cancel(); w.Stop(); done.Wait() })
	done.Go(func() {
		for event := range w.ResultChan() {
			p.note(event)
		}
	})
}

func (p *pressureWatch) note(event watch.Event) {
	node, ok := event.Object.(*corev1.Node)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, image := range node.Status.Images {
		for _, name := range image.Names {
			p.sizes[name] = image.SizeBytes
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type != corev1.NodeDiskPressure {
			continue
		}
		on := condition.Status == corev1.ConditionTrue
		if on && !p.on {
			p.came++
			p.last = condition.LastTransitionTime.Time
		}
		if lasted := condition.LastTransitionTime.Sub(p.last); !on && p.on && (p.shortest == 0 || lasted < p.shortest) {
			p.shortest = lasted
		}
		p.on = on
	}
}

func (p *pressureWatch) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.came
}

func (p *pressureWatch) times() (cameLast time.Time, shortest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.shortest
}

func (p *pressureWatch) reported(image string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sizes[image]
}
