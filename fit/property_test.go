// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// chance makes the worlds of a seed: few nodes and images, so that they meet often, and sizes around the lines.
type chance struct{ *rand.Rand }

func chanceOf(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 7))} }

func (c chance) oneIn(n int) bool { return c.IntN(n) == 0 }

func pick[T any](c chance, from ...T) T { return from[c.IntN(len(from))] }

// imageOf names one of six images, one of them by digest.
func imageOf(i int) imageref.Ref {
	name := fmt.Sprintf("i%d", i)
	if i == 5 {
		name = "i5@sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	}
	r, _ := imageref.Parse(name)
	return r
}

// imageBytes is what few disks can hold, and now and then what hardly any can.
func (c chance) imageBytes(most int64) int64 {
	if c.oneIn(10) {
		most = 1 << 40
	}
	return 1 + c.Int64N(most)
}

func (c chance) nodes() []node {
	var nodes []node
	for i := range min(c.IntN(12), 4) {
		n := node{name: fmt.Sprintf("n%d", i), capacity: pick[int64](c, 1000, 1000, 500, 2000), labels: map[string]string{"pool": pick(c, "x", "y", "z")}}
		if c.oneIn(8) {
			n.capacity = 1000 << 30 // Its sample is good for longer.
		}
		n.available = c.Int64N(n.capacity + 1)
		n.unmeasured, n.cordoned, n.notReady = c.oneIn(12), c.oneIn(8), c.oneIn(8)
		switch {
		case n.capacity >= 1<<30 && c.oneIn(2):
			n.age = pick(c, 5*time.Minute, 10*time.Minute)
		case c.oneIn(12):
			n.age = time.Hour
		}
		if c.oneIn(3) {
			n.inodes, n.inodesFree = 1000, pick[int64](c, 0, 49, 50, 51, 900)
		}
		if c.oneIn(12) {
			n.taints = []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoSchedule}}
		}
		if c.oneIn(4) {
			n.extended = map[corev1.ResourceName]int64{gpus: 1 + c.Int64N(3)}
		}
		if c.oneIn(15) {
			n.labels[pick(c, AutoscalerLabels()...)] = "v"
		}
		n.images = map[string]int64{}
		for i := range 6 {
			if c.oneIn(5) {
				n.images[imageOf(i).String()] = c.Int64N(300)
			}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// ledger fills a ledger with these nodes, with manifests and with other people's pods.
func (c chance) ledger(nodes []node) *ledger.Ledger {
	l := world(nodes...)
	for _, n := range nodes {
		switch {
		case c.oneIn(10):
			row := n.row()
			row.Images = nil // Which says nothing.
			l.SetNode(row)
		case c.oneIn(5):
			cut := lines()
			cut.MaxImagesListed = c.IntN(3)
			l.SetLines(n.name, "", cut)
		case c.oneIn(3):
			early := lines()
			early.GCHighPercent = 50
			l.SetLines(n.name, "", early)
		case c.oneIn(2):
			l.SetLines(n.name, "", c.lines())
		}
	}
	for i := range 6 {
		if !c.oneIn(6) {
			l.SetManifest(imageOf(i), linux, imagesize.Manifest{CompressedBytes: c.imageBytes(600)})
		}
	}
	if c.oneIn(20) {
		group := []ledger.NodeGroup{{Name: "group", Nodes: c.IntN(2), MaxNodes: c.IntN(3)}}
		l.SetAutoscaler(ledger.Autoscaler{Present: true, Groups: pick(c, group, group, nil)})
	}
	for i := range c.IntN(4) {
		name := fmt.Sprintf("p%d", i)
		if c.oneIn(2) || len(nodes) == 0 {
			l.SetPod(ledger.Pod{
				UID: types.UID(name), Namespace: "team", Name: name, Placement: placement.Of(nil),
				Images: []ledger.PodImage{{Ref: imageOf(c.IntN(6)), PullPolicy: corev1.PullIfNotPresent}},
			}, epoch)
			continue
		}
		bind(l, name, pick(c, nodes...).name, epoch, imageOf(c.IntN(6)))
	}
	if c.oneIn(3) {
		for i := range c.IntN(6) {
			l.SetPod(c.waiting(fmt.Sprintf("w%d", i)), epoch)
		}
	}
	return l
}

// lines are those of a kubelet that somebody has configured.
func (c chance) lines() ledger.Lines {
	l := lines()
	l.GCHighPercent, l.Thresholds[0].Soft = pick(c, 85, 85, 99), c.oneIn(4)
	switch c.IntN(5) {
	case 0:
		l.Thresholds[0].MinReclaimPercent = pick(c, 1, 10.0)
	case 1:
		l.Thresholds[0].MinReclaimBytes = c.Int64N(200)
	case 2, 3:
		l.Thresholds = l.Thresholds[1:]
		if c.oneIn(2) {
			l.GCHighPercent, l.GCOff = 100, true
		}
	default:
		l.Thresholds = []ledger.Threshold{{Signal: ledger.ImageFSAvailable, Bytes: 1 + c.Int64N(300)}}
	}
	return l
}

func (c chance) policy() *policy.Policy {
	p := policy.Default()
	p.Mode = pick(c, policy.Audit, policy.Warn, policy.Enforce, policy.Enforce, policy.Enforce)
	levels := verdict.All()[1:6]
	deny := c.IntN(len(levels))
	p.DenyAt, p.WarnAt = levels[deny], levels[c.IntN(deny+1)]
	if c.oneIn(4) {
		p.SafetyMargin.Percent = float64(c.IntN(30))
	}
	if c.oneIn(5) {
		p.UnknownImage = policy.UnknownImage{LikelyBytes: c.Int64N(300), HighBytes: 300}
	}
	if c.oneIn(5) {
		p.Images = []policy.ImageSize{{Match: "docker.io/library/i2", SizeBytes: 1 + c.Int64N(400)}, {Match: "*i2*", SizeBytes: 1}}
	}
	if c.oneIn(6) {
		p.StartupTaints = []string{"own"}
	}
	factor := &estimate.Factor{Low: pick(c, 1, 0.8), Likely: 1, High: pick(c, 1, 1.4)}
	for _, value := range []string{"x", "y"} {
		pool := policy.NodePool{
			Name: value, Selector: metav1.LabelSelector{MatchLabels: map[string]string{"pool": value}}, DiskFactor: factor,
			Elastic: pick(c, policy.ElasticAuto, policy.ElasticAuto, policy.ElasticFalse, policy.ElasticTrue),
		}
		if c.oneIn(8) {
			pool.ImageFilesystemBytes = 1000
		}
		p.NodePools = append(p.NodePools, pool)
	}
	if c.oneIn(6) {
		p.NodePools = append(p.NodePools, policy.NodePool{Name: "rest", DiskFactor: factor, Elastic: pick(c, policy.ElasticAuto, policy.ElasticFalse, policy.ElasticTrue)})
	}
	p.Messages = policy.Messages{NodeNames: c.oneIn(2), Numbers: c.oneIn(2)}
	return p
}

func (c chance) wishes() (w wishes) {
	switch c.IntN(12) {
	case 0:
		w.host = true
	case 1, 2:
		w.pool = pick(c, "x", "y", "z")
	}
	if c.oneIn(5) {
		w.gpus = 1 + c.Int64N(3)
	}
	return w
}

func (c chance) request() (r Request, w wishes) {
	w = c.wishes()
	r = RequestOf(w.pod())
	r.Images = nil
	for _, i := range c.Perm(6)[:1+c.IntN(3)] {
		r.Images = append(r.Images, imageref.Image{
			Ref: imageOf(i), PullPolicy: pick(c, corev1.PullIfNotPresent, corev1.PullIfNotPresent, corev1.PullAlways, corev1.PullNever),
		})
	}
	return r, w
}

func opinionOf(d *Decision) opinion {
	return opinion{d.Action, d.Verdict, d.Reason, d.Possible, d.Likely, d.Overloaded, d.CanTake, len(d.WaitFor) > 0}
}

// What sentences say of these causes.
const (
	noEvictionLine = "no eviction threshold"
	shortOfInodes  = "short of inodes"
)

// The naive oracle agrees on every decision.
func TestOracleAgrees(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(worlds) {
		c := chanceOf(seed)
		l, p := c.ledger(c.nodes()), c.policy()
		r, w := c.request()
		s := l.Snapshot()
		d := Evaluate(s, r, p, epoch)
		got := opinionOf(&d)
		if want := (oracle{s: s, r: r, p: p, now: epoch, wishes: w}).opinionOf(t, &d); got != want {
			t.Fatalf("seed %d: got %+v, the oracle says %+v: %s", seed, got, want, d.Message)
		}
		seen[fmt.Sprint(d.Action)]++
		seen[string(d.Reason)]++
		seen[string(d.Verdict)]++
		if len(d.WaitFor) > 0 {
			seen["waits"]++
		}
		for _, cause := range []string{noEvictionLine, shortOfInodes} {
			if strings.Contains(d.Message, cause) {
				seen[cause]++
			}
		}
		checkMessage(t, &d, p, &r)
		if again := Evaluate(s, r, p, epoch); !reflect.DeepEqual(d, again) {
			t.Fatalf("seed %d: evaluated twice, decided differently:\n%+v\n%+v", seed, d, again)
		}
	}
	// Worlds that never meet a case prove nothing about it.
	for _, v := range verdict.All() {
		if seen[string(v)] < worlds/200 {
			t.Errorf("only %d worlds with the verdict %s", seen[string(v)], v)
		}
	}
	for _, what := range []string{"Allow", "Warn", "Deny", "waits", string(StaleSample), string(NotMeasured), string(UnknownSize), string(ElasticPool), string(NoCandidate)} {
		if seen[what] < worlds/200 {
			t.Errorf("only %d worlds with %s", seen[what], what)
		}
	}
	for _, cause := range []string{noEvictionLine, shortOfInodes} { // told where figures may be
		if seen[cause] < worlds/400 {
			t.Errorf("only %d worlds with %s", seen[cause], cause)
		}
	}
	t.Log(seen)
}

// Unknown never denies: with any node's data made unknown, a pod that this node can take is admitted.
func TestUnknownNeverDenies(t *testing.T) {
	denied := 0
	for seed := range uint64(worlds / 2) {
		c := chanceOf(seed)
		nodes := c.nodes()
		l, p := c.ledger(nodes), c.policy()
		r, _ := c.request()
		if Evaluate(l.Snapshot(), r, p, epoch).Action != Deny {
			continue
		}
		denied++
		if d := Evaluate(l.Snapshot(), r, p, epoch.Add(time.Hour)); d.Action == Deny && d.Tier == ledger.Measured {
			t.Fatalf("seed %d: denied on samples that are an hour old: %s", seed, d.Message)
		}
		for _, n := range nodes {
			row, _ := l.Snapshot().Node(n.name)
			if !r.Placement.Possible(&row.Node.Node, func(string) bool { return len(p.StartupTaints) > 0 }) {
				continue
			}
			unknown := n.row()
			unknown.Name, unknown.UID, unknown.Labels = "twin", "twin of "+row.UID, row.Labels
			l.SetNode(unknown)
			d := Evaluate(l.Snapshot(), r, p, epoch)
			if d.Action == Deny && d.Tier != ledger.Declared {
				t.Fatalf("seed %d: denied although twin of %s has no sample: %s", seed, n.name, d.Message)
			}
			l.DeleteNode("twin", unknown.UID)
		}
	}
	if denied < worlds/120 {
		t.Errorf("only %d denials", denied)
	}
}

// More free space never turns an admission into a denial, unless it shows that an image is not there.
func TestFreeSpaceNeverDenies(t *testing.T) {
	allowed := 0
	for seed := range uint64(worlds / 4) {
		c := chanceOf(seed)
		nodes := c.nodes()
		if len(nodes) == 0 {
			continue
		}
		l, p := c.ledger(nodes), c.policy()
		r, _ := c.request()
		before := Evaluate(l.Snapshot(), r, p, epoch)
		if before.Action == Deny {
			continue
		}
		allowed++
		n := pick(c, nodes...)
		row, _ := l.Snapshot().Node(n.name)
		unsure := func(i imageref.Image) bool { return row.Presence(i.Ref) == ledger.PresenceUnsure }
		if n.unmeasured || n.age > 0 || slices.ContainsFunc(r.Images, unsure) {
			continue
		}
		now := epoch.Add(time.Second)
		l.SetMeasurement(n.name, ledger.Measurement{
			CapacityBytes: n.capacity, AvailableBytes: n.available + c.Int64N(n.capacity-n.available+1), SampledAt: now, ReceivedAt: now,
			Inodes: n.inodes, InodesFree: n.inodesFree,
		})
		if after := Evaluate(l.Snapshot(), r, p, now); after.Action == Deny {
			t.Fatalf("seed %d: %s; with more space on %s: %s", seed, before.Message, n.name, after.Message)
		}
	}
	if allowed < worlds/12 {
		t.Errorf("only %d admissions", allowed)
	}
}

// One image more never turns a denial into an admission.
func TestOneImageMoreNeverAdmits(t *testing.T) {
	denied := 0
	for seed := range uint64(worlds / 2) {
		c := chanceOf(seed)
		l, p := c.ledger(c.nodes()), c.policy()
		r, _ := c.request()
		before := Evaluate(l.Snapshot(), r, p, epoch)
		if before.Action != Deny {
			continue
		}
		denied++
		// An image that waiting pods want, too, is left out of what they reserve: this one nobody else wants.
		more := imageref.Image{Ref: imageOf(6), PullPolicy: corev1.PullIfNotPresent}
		if c.oneIn(2) {
			l.SetManifest(more.Ref, linux, imagesize.Manifest{CompressedBytes: 1 + c.Int64N(500)})
		}
		r.Images = append(r.Images, more)
		if after := Evaluate(l.Snapshot(), r, p, epoch); after.Action != Deny {
			t.Fatalf("seed %d: %s; with one image more: %s", seed, before.Message, after.Message)
		}
	}
	if denied < worlds/120 {
		t.Errorf("only %d denials", denied)
	}
}
