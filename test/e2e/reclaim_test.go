// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/serve"
)

const (
	// collectableAge is how long these kubelets must have known an image to delete it.
	collectableAge = 5 * time.Second
	// evictionPercent is the line below which they delete all that no pod uses.
	evictionPercent = 15
)

// reclaim is a mix on its node, and what becomes of it.
type reclaim struct {
	mix
	*lab.Node
	namespace string
	restarted time.Time // the kubelet
	predicted predicted
	// before and after are the bytes available before and after the kubelet's pass.
	before, after int64
}

// TestReclaimable compares what Headroom says could be reclaimed with what a kubelet
// then frees, when its disk runs short and it deletes all images that no pod uses.
func TestReclaimable(t *testing.T) {
	ns := namespace(t, "reclaimable")
	setPolicy(t, accuracyPolicy)
	var all []*reclaim
	for _, m := range mixes() {
		all = append(all, &reclaim{mix: m, namespace: ns, Node: startBareNode(t, m.options())})
	}
	world := accuracyWorld{namespace: ns}
	for _, r := range all {
		world.pupils = append(world.pupils, r.Node)
	}
	world.headroom = startHeadroom(t, "--kubelet-interval", "5s", "--kubelet-pending-interval", "2s")
	world.learn(t)

	// The nodes do each step at the same time: most of it is waiting for kubelets.
	steps := []func(*reclaim, *testing.T){
		(*reclaim).create, (*reclaim).awaitPods, (*reclaim).abandon, (*reclaim).awaitListed,
		func(r *reclaim, t *testing.T) { r.predict(t, world.headroom) }, (*reclaim).press, (*reclaim).awaitDeleted,
	}
	for _, step := range steps {
		for _, r := range all {
			step(r, t)
		}
	}
	for _, r := range all {
		t.Run(r.title, r.check)
	}
}

func (r *reclaim) pod(i int, image lab.Image, use string) podOptions {
	return podOptions{namespace: r.namespace, name: fmt.Sprintf("%s-%s%d", r.Name, use, i), image: lab.RegistryHost + "/" + image.Name, node: r.Name}
}

// pods are those of images that stay in use, and those that only bring an image.
func (r *reclaim) pods() (stay, leave []podOptions) {
	for i, image := range r.used {
		stay = append(stay, r.pod(i, image, "used"))
	}
	for i, image := range r.unused {
		leave = append(leave, r.pod(i, image, "unused"))
	}
	return stay, leave
}

func (r *reclaim) create(t *testing.T) {
	for _, images := range [][]lab.Image{r.used, r.unused} {
		for _, image := range images {
			if _, err := shared.registry.Push(t.Context(), image); err != nil {
				t.Fatal(err)
			}
		}
	}
	stay, leave := r.pods()
	for _, pod := range append(stay, leave...) {
		if stderr, err := create(t, pod); err != nil {
			t.Fatalf("create %s: %v\n%s", pod.name, err, stderr)
		}
	}
}

func (r *reclaim) awaitPods(t *testing.T) {
	stay, leave := r.pods()
	for _, pod := range append(stay, leave...) {
		waitReady(t, pod)
	}
}

// abandon deletes the pods of images that are to be unused, and has the kubelet see
// the images: it looks for them every five minutes, and when it starts.
func (r *reclaim) abandon(t *testing.T) {
	args := []string{"delete", "pod", "-n", r.namespace, "--wait=true"}
	_, leave := r.pods()
	for _, pod := range leave {
		args = append(args, pod.name)
	}
	kubectl(t, args...)
	if err := r.StopKubelet(); err != nil {
		t.Fatal(err)
	}
	if err := r.StartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.restarted = time.Now()
}

func (r *reclaim) awaitListed(t *testing.T) {
	stay, leave := r.pods()
	for _, pod := range append(stay, leave...) {
		eventually(t, time.Minute, r.Name+" lists "+pod.image, func() bool { return listedBytes(t, r.Name, pod.image) > 0 })
	}
}

// predict reads what Headroom says, once its measurement is that of now and what it
// says no longer changes.
func (r *reclaim) predict(t *testing.T, headroom *serve.Process) {
	available, same := settled(t, r.Node, stillness), 0
	eventually(t, time.Minute, "Headroom knows what could be reclaimed on "+r.Name, func() bool {
		measured := int64(headroom.Metric(t, "headroom_node_image_available_bytes", "node="+r.Name))
		bound := func(name string) int64 {
			return int64(headroom.Metric(t, "headroom_node_image_reclaimable_bytes", "node="+r.Name, "bound="+name))
		}
		now := predicted{bound("low"), bound("likely"), bound("high")}
		if now != r.predicted || max(measured-available, available-measured) >= mib {
			r.predicted, same = now, 0
			return false
		}
		same++
		return same == 5
	})
}

// press fills the disk until the kubelet has to act. 64 MiB are short, and the images
// are more: no pod has to go.
func (r *reclaim) press(t *testing.T) {
	time.Sleep(time.Until(r.restarted.Add(2 * collectableAge)))
	r.before = settled(t, r.Node, stillness)
	capacity, _, err := r.Statfs()
	if err != nil {
		t.Fatal(err)
	}
	fillDisk(t, r.Node, r.before-(capacity*evictionPercent/100-64*mib))
}

// awaitDeleted waits until the kubelet has deleted what it can, and gives the disk back
// what press took.
func (r *reclaim) awaitDeleted(t *testing.T) {
	_, leave := r.pods()
	for _, pod := range leave {
		eventually(t, 2*time.Minute, r.Name+" no longer lists "+pod.image, func() bool { return listedBytes(t, r.Name, pod.image) == 0 })
	}
	releaseDisk(t, r.Node)
	r.after = settled(t, r.Node, 3*stillness)
}

func (r *reclaim) check(t *testing.T) {
	freed := r.after - r.before
	t.Logf("freed %.1f MiB, predicted %s", mebibytes(freed), r.predicted)
	// The containers of pods that are gone go, too.
	slack := containerBytes * int64(len(r.unused))
	if freed < r.predicted.low-slack || freed > r.predicted.high+slack {
		t.Errorf("the kubelet freed %d bytes, outside of the prediction %s", freed, r.predicted)
	}
	if width := r.predicted.high - r.predicted.low; width > freed/4 {
		t.Errorf("the prediction %s is %s wide, want a quarter of what was freed at most", r.predicted, describeBytes(width))
	}
	stay, _ := r.pods()
	for _, pod := range stay {
		if message := evictionOf(t, pod.namespace, pod.name); message != "" {
			t.Errorf("%s was evicted: %s", pod.name, message)
		}
		if phase := podNow(t, pod.namespace, pod.name).Status.Phase; phase != corev1.PodRunning {
			t.Errorf("%s is %s, want it to run still", pod.name, phase)
		}
	}
}
