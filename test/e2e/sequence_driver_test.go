// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/simnode/sequence"
)

const importantClass = "sequence-important"

// driver has a real node do a sequence.
type driver struct {
	t         *testing.T
	s         sequence.Sequence
	node      *lab.Node
	namespace string
	images    map[string]string // in full, by short name
	disk      sequence.Disk
	ran       []string // images of pods that ran, so that they were there
	failed    []string // pods
	pressure  pressureWatch
}

func newDriver(t *testing.T, s sequence.Sequence) *driver {
	d := &driver{t: t, s: s, images: map[string]string{}, disk: sequence.Disk{Images: map[string]sequence.Image{}}}
	for name, mib := range s.Images {
		d.images[name] = push(t, s.Name+"/"+name+":v1", mib, seedOf(s.Name+name))
	}
	d.node = startBareNode(t, lab.NodeOptions{
		Name: s.Name, DiskBytes: s.DiskMiB * mib,
		EvictionHard: s.EvictionHard, EvictionSoft: s.EvictionSoft, EvictionSoftGracePeriod: s.EvictionSoftGracePeriod,
		ImageGCHighPercent: s.ImageGCHighThresholdPercent, ImageGCLowPercent: s.ImageGCLowThresholdPercent,
		ImageMinimumGCAge: s.ImageMinimumGCAge.Duration, PressureTransition: s.PressureTransition.Duration,
	})
	d.namespace = namespace(t, s.Name)
	d.warmUp()
	d.pressure.start(t, s.Name)
	fs := d.statfs()
	d.disk.CapacityBytes = int64(fs.Blocks) * fs.Bsize
	d.disk.ReservedBytes = int64(fs.Bfree-fs.Bavail) * fs.Bsize
	d.disk.UsedBytes = int64(fs.Blocks-fs.Bfree) * fs.Bsize
	return d
}

// warmUp has the node pull what all images share, so that none of them is
// charged with it.
func (d *driver) warmUp() {
	d.t.Helper()
	mustRun(d.t, podOptions{namespace: d.namespace, name: "warm-up", image: lab.RegistryHost + "/lab/pause:1", node: d.node.Name})
	kubectl(d.t, "delete", "pod", "-n", d.namespace, "warm-up")
}

// seedOf makes an image's bytes its own, the same in every run.
func seedOf(name string) uint64 {
	seed := uint64(1)
	for _, b := range []byte(name) {
		seed = seed*31 + uint64(b)
	}
	return seed
}

func (d *driver) statfs() unix.Statfs_t {
	d.t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(d.node.ImageDir, &fs); err != nil {
		d.t.Fatal(err)
	}
	return fs
}

func (d *driver) availableBytes() int64 {
	fs := d.statfs()
	return int64(fs.Bavail) * fs.Bsize
}

func (d *driver) do(s sequence.Step) {
	d.t.Helper()
	switch {
	case s.Run != "":
		d.run(s)
	case s.Delete != "":
		kubectl(d.t, "delete", "pod", "-n", d.namespace, s.Delete)
	case s.Restart:
		if err := d.node.StopKubelet(); err != nil {
			d.t.Fatal(err)
		}
		if err := d.node.StartKubelet(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
	case s.LeaveAvailablePercent != 0:
		fillDisk(d.t, d.node, d.availableBytes()-d.disk.CapacityBytes*s.LeaveAvailablePercent/100)
	case s.Release:
		releaseDisk(d.t, d.node)
	case s.Await != "":
		eventually(d.t, 2*time.Minute, s.Await, func() bool { return underPressure(d.t, d.node.Name) == (s.Await == sequence.Pressure) })
	default:
		time.Sleep(s.Wait.Duration)
	}
}

// run also measures what the image takes.
func (d *driver) run(s sequence.Step) {
	d.t.Helper()
	pod := podOptions{namespace: d.namespace, name: s.Run, image: d.images[s.Image], node: d.node.Name}
	if s.Important {
		pod.priorityClass = importantClass
	}
	before := d.availableBytes()
	if !s.PullFails {
		mustRun(d.t, pod)
		if !slices.Contains(d.ran, s.Image) {
			d.ran = append(d.ran, s.Image)
			d.disk.Images[s.Image] = sequence.Image{DiskBytes: before - d.availableBytes()}
		}
		return
	}
	if stderr, err := create(d.t, pod); err != nil {
		d.t.Fatalf("create %s: %v\n%s", s.Run, err, stderr)
	}
	eventually(d.t, 2*time.Minute, "the pull of "+s.Run+" fails for want of space", func() bool {
		return slices.ContainsFunc(d.events(d.namespace, s.Run), func(e corev1.Event) bool {
			return e.Reason == "Failed" && strings.Contains(e.Message, "no space left on device")
		})
	})
	d.failed = append(d.failed, s.Run)
}

func (d *driver) events(namespace, about string) []corev1.Event {
	d.t.Helper()
	list, err := shared.client.CoreV1().Events(namespace).List(d.t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + about})
	if err != nil {
		d.t.Fatal(err)
	}
	return list.Items
}

// recorded is what the node did, after the last step.
func (d *driver) recorded() *sequence.Recorded {
	d.t.Helper()
	node, err := shared.client.CoreV1().Nodes().Get(d.t.Context(), d.node.Name, metav1.GetOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	r := &sequence.Recorded{Kubelet: node.Status.NodeInfo.KubeletVersion, Runtime: node.Status.NodeInfo.ContainerRuntimeVersion, Disk: d.disk}
	r.Outcome = sequence.Outcome{
		DeletedImages: []string{}, EvictedPods: d.evicted(), FailedPulls: append([]string{}, d.failed...), NodeEvents: []string{},
		PressureCame: d.pressure.count(), PressureAtEnd: underPressure(d.t, d.node.Name), AvailableBytes: d.availableBytes(),
	}
	for _, name := range d.ran {
		at := slices.IndexFunc(node.Status.Images, func(i corev1.ContainerImage) bool { return slices.Contains(i.Names, d.images[name]) })
		if at < 0 {
			r.DeletedImages = append(r.DeletedImages, name)
		}
		image := r.Images[name]
		image.ReportedBytes = d.pressure.reported(d.images[name])
		r.Images[name] = image
	}
	for _, event := range d.events(metav1.NamespaceDefault, d.node.Name) {
		if slices.Contains(sequence.NodeEvents(), event.Reason) {
			r.NodeEvents = append(r.NodeEvents, event.Reason)
			d.t.Logf("%s %s: %s", event.FirstTimestamp.Format(time.TimeOnly), event.Reason, event.Message)
		}
	}
	r.Outcome = r.Sorted()
	d.t.Logf("recorded: %+v", *r)
	return r
}

// checkTimes looks at what an outcome does not tell: pressure lasts for the
// transition period at least, and the kubelet acts on a soft line after its grace
// period only, counted from when pressure came last. A node's status may tell of
// either end a few seconds late.
func (d *driver) checkTimes() {
	d.t.Helper()
	const late = 5 * time.Second
	cameLast, shortest := d.pressure.times()
	if shortest > 0 && shortest < d.s.PressureTransition.Duration-late {
		d.t.Errorf("pressure lasted %v, want %v or more", shortest, d.s.PressureTransition.Duration)
	}
	for signal, text := range d.s.EvictionSoftGracePeriod {
		grace, err := time.ParseDuration(text)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, event := range d.events(metav1.NamespaceDefault, d.node.Name) {
			if waited := event.FirstTimestamp.Sub(cameLast); event.Reason == "EvictionThresholdMet" && waited < grace-late {
				d.t.Errorf("the kubelet acted on %s %v after pressure came, want %v or more", signal, waited, grace)
			}
		}
	}
}

// evicted are the pods that the kubelet evicted, in that order.
func (d *driver) evicted() []string {
	d.t.Helper()
	list, err := shared.client.CoreV1().Events(d.namespace).List(d.t.Context(), metav1.ListOptions{FieldSelector: "reason=Evicted"})
	if err != nil {
		d.t.Fatal(err)
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return a.FirstTimestamp.Compare(b.FirstTimestamp.Time) })
	names := []string{}
	for i := range list.Items {
		names = append(names, list.Items[i].InvolvedObject.Name)
		d.t.Logf("%s evicted %s", list.Items[i].FirstTimestamp.Format(time.TimeOnly), list.Items[i].InvolvedObject.Name)
	}
	return names
}
