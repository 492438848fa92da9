// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/headroom-dev/headroom/verdict"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/result"
	"github.com/headroom-dev/headroom/hack/bench/review"
)

const (
	// askEvery is how long after an answer the same is asked again.
	askEvery = 2 * time.Millisecond
	// shownWithin is when an event that has not shown is given up.
	shownWithin = 10 * time.Second
	// apart is the longest pause between two events: it keeps them from meeting the churn's and the ledger's own rhythm at the same
	// moment each time.
	apart = 20 * time.Millisecond
)

// freshness finds out how long it takes until an event shows in the answers about one pod. That can go to one node only, which
// is made for it; what happens to that node is all that its verdict depends on.
type freshness struct {
	client kubernetes.Interface
	asker  *load.Asker
	bodies *review.Bodies
	number uint64
	// within is when an event that has not shown is given up.
	within time.Duration

	// bound and changed are how long events took.
	bound, changed []time.Duration
}

// fresh measures that while events arrive at the rates of served.
func (s *serviceRun) fresh(ctx context.Context, client kubernetes.Interface, headroom *service, served *result.Served) error {
	f := &freshness{client: client, within: shownWithin}
	var err error
	if f.bodies, err = review.Of(askedPod()); err != nil {
		return err
	}
	if f.asker, err = load.NewAsker(headroom.target); err != nil {
		return err
	}
	defer f.asker.Close()
	for i := range s.FreshSamples {
		err := f.sample(ctx, i)
		if errors.Is(err, errNotShown) {
			s.say("no more events are waited for: %v", err)
			break
		}
		if err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	shown := func(took []time.Duration) *result.Shown {
		if len(took) == 0 {
			return nil
		}
		return &result.Shown{Events: len(took), Latency: load.LatencyOf(took)}
	}
	served.BoundPod, served.ChangedNode = shown(f.bound), shown(f.changed)
	return nil
}

// sample takes one event of each kind: a pod is bound to the node and begins to pull, so that the pod that is asked about does not
// fit any more; then the node lists what that pod wants, so that it fits again. Node and pod are new ones each time, and gone at
// the end.
func (f *freshness) sample(ctx context.Context, i int) error {
	node, pod := pulledTo(fmt.Sprint("fresh-", i))
	nodes, pods := f.client.CoreV1().Nodes(), f.client.CoreV1().Pods(pod.Namespace)
	made, err := f.shows(ctx, true, func() (err error) {
		node, err = nodes.Create(ctx, node, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return f.unshown(&f.changed, made, fmt.Errorf("a new node: %w", err))
	}
	bound, err := f.shows(ctx, false, func() error {
		_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return f.unshown(&f.bound, bound, fmt.Errorf("a pod that is bound: %w", err))
	}
	changed, err := f.shows(ctx, true, func() error {
		node.Status.Images = []corev1.ContainerImage{{Names: []string{askedImage}, SizeBytes: askedBytes}}
		_, err := nodes.Update(ctx, node, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return f.unshown(&f.changed, changed, fmt.Errorf("a node that lists an image: %w", err))
	}
	f.bound, f.changed = append(f.bound, bound), append(f.changed, changed)
	if err := pods.Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	gone, err := f.shows(ctx, false, func() error { return nodes.Delete(ctx, node.Name, metav1.DeleteOptions{}) })
	if err != nil {
		return f.unshown(&f.changed, gone, fmt.Errorf("a node that is gone: %w", err))
	}
	return nil
}

// errNotShown is of an event that was given up.
var errNotShown = errors.New("the verdict is still the same")

// unshown counts an event that was given up with the time that it was waited for, which is less than it took, and returns err.
func (f *freshness) unshown(among *[]time.Duration, took time.Duration, err error) error {
	if errors.Is(err, errNotShown) {
		*among = append(*among, took)
	}
	return err
}

// shows writes an event after a pause, and returns how long after it began to write an answer came by which the pod fits, or
// does not.
func (f *freshness) shows(ctx context.Context, fits bool, write func() error) (time.Duration, error) {
	time.Sleep(time.Duration(rand.Int64N(int64(apart)))) //nolint:gosec // G404: chance, not secrecy
	began := time.Now()
	if err := write(); err != nil {
		return 0, err
	}
	for {
		said, err := f.verdict(ctx)
		took := time.Since(began)
		switch {
		case err != nil:
			return 0, err
		case fits == (said == string(verdict.Fits)):
			return took, nil
		case took > f.within:
			return took, fmt.Errorf("%w, %s, after %s", errNotShown, said, took)
		}
		time.Sleep(askEvery)
	}
}

// verdict asks about the pod.
func (f *freshness) verdict(ctx context.Context) (string, error) {
	f.number++
	answer, err := f.asker.Ask(ctx, f.bodies.Append(nil, f.number))
	if err != nil {
		return "", err
	}
	var read admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &read); err != nil {
		return "", fmt.Errorf("the answer: %w", err)
	}
	if read.Response == nil || read.Response.AuditAnnotations["verdict"] == "" {
		return "", fmt.Errorf("an answer without a verdict: %s", answer)
	}
	return read.Response.AuditAnnotations["verdict"], nil
}
