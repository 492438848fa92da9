// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/test/serve"
)

// burst is what became of the pods, by time since it began.
type burst struct {
	namespace string
	began     time.Time
	creations []creation
}

// creation is one pod's. known is when every replica had it in its ledger.
type creation struct {
	name, image           string
	sent, answered, known time.Duration
	admitted              bool
}

// createAll creates the pods of a burst, evenly over a second.
func createAll(t *testing.T, namespace string, pod func(i int) *corev1.Pod) *burst {
	t.Helper()
	config, err := shared.plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	b := &burst{namespace: namespace, creations: make([]creation, burstPods)}
	calm(t)
	var requests sync.WaitGroup
	b.began = time.Now()
	for i := range b.creations {
		pod := pod(i)
		time.Sleep(time.Until(b.began.Add(time.Duration(i) * time.Second / burstPods)))
		requests.Go(func() {
			c := creation{name: pod.Name, image: pod.Spec.Containers[0].Image, sent: time.Since(b.began)}
			_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
			if c.answered, c.admitted = time.Since(b.began), err == nil; err != nil && !apierrors.IsForbidden(err) {
				t.Error(err)
			}
			b.creations[i] = c
		})
	}
	requests.Wait()
	return b
}

// images are those that got in.
func (b *burst) images() map[string]bool {
	images := map[string]bool{}
	for _, c := range b.creations {
		if c.admitted {
			images[c.image] = true
		}
	}
	return images
}

func (b *burst) admitted() int {
	admitted := 0
	for _, c := range b.creations {
		if c.admitted {
			admitted++
		}
	}
	return admitted
}

// calm waits a while for a machine that answers as one does that is not busy.
func calm(t *testing.T) {
	t.Helper()
	const rounds, enough, quick = 20, 10, 15 * time.Millisecond
	for round := range rounds {
		swift := 0
		for range enough {
			began := time.Now()
			if _, err := shared.client.CoreV1().Pods("default").Create(t.Context(), podOf("calm", "example.com/small:1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
				t.Fatal(err)
			}
			if time.Since(began) < quick {
				swift++
			}
		}
		if swift == enough {
			return
		}
		if round == rounds-1 {
			t.Log("the machine is busy")
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// awaitSeen waits until every replica's log tells of each pod that was admitted, and notes when it does.
func (b *burst) awaitSeen(t *testing.T, processes []*serve.Process) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^time=(\S+) level=V2 msg="Pod in the ledger" namespace=` + b.namespace + ` name=(\S+) `)
	eventually(t, 30*time.Second, "every replica knows every pod", func() bool {
		for i := range b.creations {
			b.creations[i].known = 0
		}
		for _, p := range processes {
			seen := map[string]time.Duration{}
			for _, found := range line.FindAllStringSubmatch(p.Log(), -1) {
				at, err := time.Parse(time.RFC3339, found[1])
				if _, again := seen[found[2]]; err == nil && !again {
					// Logged in whole milliseconds.
					seen[found[2]] = at.Add(time.Millisecond).Sub(b.began)
				}
			}
			for i := range b.creations {
				c := &b.creations[i]
				at, found := seen[c.name]
				if c.admitted && !found {
					return false
				}
				c.known = max(c.known, at)
			}
		}
		return true
	})
}

// check fails if an image got in although, when the first of its pods was sent, every replica knew pods of as many images as
// there is room for. It returns the delay of 99 in 100 pods.
func (b *burst) check(t *testing.T) time.Duration {
	t.Helper()
	sent, known := map[string]time.Duration{}, map[string]time.Duration{} // of images that got in
	var delays []time.Duration
	for _, c := range b.creations {
		if !c.admitted {
			continue
		}
		delays = append(delays, max(c.known-c.answered, 0))
		if first, again := sent[c.image]; !again || c.sent < first {
			sent[c.image] = c.sent
		}
		if first, again := known[c.image]; !again || c.known < first {
			known[c.image] = c.known
		}
	}
	if len(known) < burstRoom {
		t.Fatalf("pods of %d images were admitted, want %d", len(known), burstRoom)
	}
	slices.Sort(delays)
	p99 := delays[(len(delays)*99+99)/100-1]
	full := slices.Sorted(maps.Values(known))[burstRoom-1]
	came := map[string]bool{} // in time
	for _, c := range b.creations {
		came[c.image] = came[c.image] || c.sent <= full
	}
	before := 0
	for image := range sent {
		if !came[image] {
			t.Errorf("%s got in, sent after %v, when the room was known to be taken since %v", image, sent[image], full)
		}
	}
	for _, in := range came {
		if in {
			before++
		}
	}
	last := b.creations[len(b.creations)-1].sent
	t.Logf("%d pods in %v, %d admitted, with %d images: %d beyond the room, which was known to be taken after %v, when %d images had come; delay of 99 in 100 pods %v, of half of them %v",
		len(b.creations), last, len(delays), len(sent), len(sent)-burstRoom, full, before, p99, delays[len(delays)/2])
	return p99
}
