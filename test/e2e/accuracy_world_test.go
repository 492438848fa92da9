// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/serve"
)

// lessons is how many pulls Headroom watches on each node before it is judged.
const lessons = 3

// accuracyWorld is what the shapes run in.
type accuracyWorld struct {
	// pupils are the nodes whose pulls Headroom watches before it is judged: several, or
	// all, of a pool must show what it does with compressed layers.
	pupils    []*lab.Node
	namespace string
	headroom  *serve.Process
}

// learn has Headroom watch pulls on both nodes until it knows what each keeps of
// compressed layers.
func (a *accuracyWorld) learn(t *testing.T) {
	t.Helper()
	// Before a pull is watched, two samples must have seen the node at rest.
	for _, node := range a.pupils {
		mustRun(t, podOptions{namespace: a.namespace, name: "first-" + node.Name, image: lab.RegistryHost + "/lab/pause:1", node: node.Name})
	}
	a.awaitListed(t, "lab/pause:1", a.pupils...)
	time.Sleep(12 * time.Second)
	// What the pods of one namespace alone teach is not believed for certain.
	namespaces := []string{a.namespace, namespace(t, a.namespace+"-too")}
	for i := range int64(lessons) {
		a.teach(t, namespaces[i%2], lesson(i), i)
	}
}

// lesson is the image that a lesson is about.
func lesson(number int64) lab.Image {
	return lab.Image{
		Name:   fmt.Sprintf("accuracy/lesson:v%d", number),
		Layers: []lab.Layer{{Bytes: (70 + number) * mib, Content: lab.Text, Seed: 8000 + uint64(number)}},
	}
}

// teach has all nodes pull an image, with nothing else going on, and waits until
// Headroom has seen what it took.
func (a *accuracyWorld) teach(t *testing.T, namespace string, image lab.Image, number int64) {
	t.Helper()
	if _, err := shared.registry.Push(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	seen := a.observations(t)
	for _, node := range a.pupils {
		name := fmt.Sprintf("lesson%d-%s", number, node.Name)
		mustRun(t, podOptions{namespace: namespace, name: name, image: lab.RegistryHost + "/" + image.Name, node: node.Name})
	}
	eventually(t, time.Minute, "Headroom has watched the pulls", func() bool { return a.observations(t) >= seen+len(a.pupils) })
}

// observations is how many pulls Headroom has watched from beginning to end.
func (a *accuracyWorld) observations(t *testing.T) (count int) {
	t.Helper()
	for _, result := range []string{"inside", "below", "above", "unpredicted"} {
		count += int(a.headroom.Metric(t, "headroom_pull_observations_total", "result="+result))
	}
	return count
}

// awaitListed waits until nodes list an image, which kubelets look for every 30
// seconds.
func (a *accuracyWorld) awaitListed(t *testing.T, image string, nodes ...*lab.Node) {
	t.Helper()
	for _, node := range nodes {
		eventually(t, time.Minute, node.Name+" lists "+image, func() bool {
			return listedBytes(t, node.Name, lab.RegistryHost+"/"+image) > 0
		})
	}
}

// stillness is how long a disk has to be unchanged to be at rest: what a pull and the
// start of its pod still change afterwards, they change within 0.3 seconds.
const stillness = 600 * time.Millisecond

// settled is what is available on a node's image disk once it has been at rest.
func settled(t *testing.T, node *lab.Node, still time.Duration) int64 {
	t.Helper()
	disk, err := os.Open(node.ImageDir)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	last, since := int64(-1), time.Now()
	eventually(t, time.Minute, "the disk of "+node.Name+" is at rest", func() bool {
		// What is not written yet has no blocks for its metadata.
		if err := unix.Syncfs(int(disk.Fd())); err != nil {
			t.Fatal(err)
		}
		_, available, err := node.Statfs()
		if err != nil {
			t.Fatal(err)
		}
		if available != last {
			last, since = available, time.Now()
		}
		return time.Since(since) >= still
	})
	return last
}

// predicted is an interval from an audit annotation, in bytes.
type predicted struct{ low, likely, high int64 }

func (p predicted) String() string {
	return fmt.Sprintf("%.1f/%.1f/%.1f MiB", mebibytes(p.low), mebibytes(p.likely), mebibytes(p.high))
}

func mebibytes(n int64) float64 { return float64(n) / float64(mib) }

func parseInterval(t *testing.T, text string) predicted {
	t.Helper()
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		t.Fatalf("annotation need is %q, want low/likely/high", text)
	}
	var numbers [3]int64
	for i, part := range parts {
		if part == "inf" {
			numbers[i] = math.MaxInt64
			continue
		}
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			t.Fatalf("annotation need is %q: %v", text, err)
		}
		numbers[i] = n
	}
	return predicted{numbers[0], numbers[1], numbers[2]}
}
