// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
)

// SampleOnce asks every node once for a sample and for its lines, at most concurrency at a time, and writes the answers
// to l: what a Poller does, for a program that looks once. It returns an error for each node without a sample; a node
// that is not asked at all has an error of *NotAskedError.
func SampleOnce(ctx context.Context, kubelets Kubelets, nodes []*corev1.Node, l SampleWriter, viaAPIServer bool, concurrency int) map[string]error {
	var (
		mu       sync.Mutex // guards failures
		failures = map[string]error{}
		group    errgroup.Group
	)
	group.SetLimit(max(1, concurrency))
	for _, n := range nodes {
		group.Go(func() error {
			if err := sampleNode(ctx, kubelets, n, l, viaAPIServer); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failures[n.Name] = err
			}
			return nil
		})
	}
	_ = group.Wait() // no function of the group returns an error
	return failures
}

// NotAskedError is of a node whose kubelet is not asked at all.
type NotAskedError struct{ Reason NotAsked }

func (e *NotAskedError) Error() string {
	return "its kubelet is not asked: " + map[NotAsked]string{
		NoAddress:   "the node has no InternalIP",
		WindowsNode: "Windows kubelets report another kind of image file system",
		VirtualNode: "it is a virtual node",
	}[e.Reason]
}

func sampleNode(ctx context.Context, kubelets Kubelets, n *corev1.Node, l SampleWriter, viaAPIServer bool) error {
	target, reason := TargetOf(n, viaAPIServer)
	if reason != "" {
		return &NotAskedError{reason}
	}
	stats, err := kubelets.Stats(ctx, target)
	if err != nil {
		return err
	}
	l.SetMeasurement(n.Name, measurementOf(&polledNode{uid: n.UID}, stats, wallClock()))
	config, err := kubelets.Config(ctx, target)
	if err != nil {
		// Its defaults are assumed, and shown as such.
		return nil //nolint:nilerr // the sample is what was asked for
	}
	l.SetLines(n.Name, n.UID, LinesOf(config))
	return nil
}
