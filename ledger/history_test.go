// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/placement"
)

var (
	linux      = lt.Linux
	twinFactor = &estimate.Factor{Low: 1, Likely: 2, High: 3}
)

type kind int

const (
	markSynced kind = iota
	setNode
	deleteNode
	setSample
	forgetSample
	setLines
	setPod
	deletePod
	setManifest
	deleteManifest
	setAutoscaler
)

// event is one call of a writer.
type event struct {
	kind     kind
	name     string
	uid      types.UID
	node     ledger.Node
	sample   ledger.Measurement
	lines    ledger.Lines
	pod      ledger.Pod
	now      time.Time
	ref      imageref.Ref
	manifest imagesize.Manifest
	scaler   ledger.Autoscaler
}

func (e *event) write(l *ledger.Ledger) {
	switch e.kind {
	case markSynced:
		l.MarkSynced()
	case setNode:
		l.SetNode(e.node)
	case deleteNode:
		l.DeleteNode(e.name, e.uid)
	case setSample:
		l.SetMeasurement(e.name, e.sample)
	case forgetSample:
		l.ForgetMeasurement(e.name)
	case setLines:
		l.SetLines(e.name, e.uid, e.lines)
	case setPod:
		l.SetPod(e.pod, e.now)
	case deletePod:
		l.DeletePod(e.uid, e.now)
	case setManifest:
		l.SetManifest(e.ref, linux, e.manifest)
	case deleteManifest:
		l.DeleteManifest(e.ref, linux)
	case setAutoscaler:
		l.SetAutoscaler(e.scaler)
	}
}

// twinImages are the images of all histories: by tag, by digest, and one digest
// under two repositories.
func twinImages() []imageref.Ref {
	digest := "@sha256:" + strings.Repeat("0123456789abcdef", 4)
	return []imageref.Ref{
		mustParse("a"), mustParse("b"), mustParse("c:1"), mustParse("c:2"),
		mustParse("d" + digest), mustParse("mirror.example/d" + digest),
	}
}

// history makes events that are likely, and sometimes not.
type history struct {
	*rand.Rand

	now     time.Time
	uids    map[string]int // the generation of each name's UID
	written []event
}

func (h *history) next() event {
	h.now = h.now.Add(time.Duration(h.IntN(8000)) * time.Millisecond)
	if len(h.written) > 0 && h.IntN(8) == 0 {
		// Late, or twice.
		back := 1 + h.IntN(min(len(h.written), 12))
		return h.written[len(h.written)-back]
	}
	e := h.fresh()
	e.now = h.now
	h.written = append(h.written, e)
	return e
}

func (h *history) fresh() event {
	node := fmt.Sprint("node-", h.IntN(3))
	uid := h.uid(node)
	switch h.IntN(17) {
	case 0, 1, 2:
		return event{kind: setNode, node: h.node(node, uid)}
	case 3:
		if h.IntN(4) > 0 {
			return event{kind: setLines, name: node, uid: uid, lines: h.lines()}
		}
		if h.IntN(3) > 0 {
			return event{kind: forgetSample, name: node}
		}
		// Its name is used again, by a new node.
		h.uids[node]++
		return event{kind: deleteNode, name: node, uid: uid}
	case 4, 5, 6, 7:
		age := time.Duration(h.IntN(12)) * time.Second
		inodes := h.Int64N(3) * 100
		return event{kind: setSample, name: node, sample: ledger.Measurement{
			NodeUID: uid, CapacityBytes: 1000, AvailableBytes: h.Int64N(1000), SampledAt: h.now.Add(-age),
			AgeAtReceipt: age, ReceivedAt: h.now, SharedWithNodeFS: h.IntN(2) == 0,
			Inodes: inodes, InodesFree: h.Int64N(inodes + 1),
		}}
	case 8:
		pod := fmt.Sprint("pod-", h.IntN(8))
		uid := h.uid(pod)
		h.uids[pod]++
		return event{kind: deletePod, uid: uid}
	case 9:
		image := twinImages()[h.IntN(6)]
		if h.IntN(4) == 0 {
			return event{kind: deleteManifest, ref: image}
		}
		if h.IntN(3) > 0 {
			return event{kind: setManifest, ref: image, manifest: h.layeredManifest(image)}
		}
		return event{kind: setManifest, ref: image, manifest: imagesize.Manifest{CompressedBytes: 1 + h.Int64N(60)}}
	case 10:
		scaler := ledger.Autoscaler{Present: h.IntN(2) == 0}
		if scaler.Present {
			scaler.Groups = []ledger.NodeGroup{{Name: "group", Nodes: h.IntN(2), MaxNodes: 1}}
		}
		return event{kind: setAutoscaler, scaler: scaler}
	default:
		return event{kind: setPod, pod: h.pod(fmt.Sprint("pod-", h.IntN(8)))}
	}
}

func (h *history) uid(name string) types.UID {
	return types.UID(fmt.Sprint(name, "-", h.uids[name]))
}

func (h *history) node(name string, uid types.UID) ledger.Node {
	n := ledger.Node{
		Node: placement.Node{
			Name: name, Labels: map[string]string{"host": name, "zone": strconv.Itoa(h.IntN(2))}, Ready: h.IntN(4) > 0,
			OS: linux.OS, Architecture: linux.Architecture,
		},
		UID: uid, Runtime: imagesize.Containerd, EphemeralStorageBytes: 500 * h.Int64N(3),
	}
	if h.IntN(5) == 0 {
		n.Runtime = imagesize.CRIO
	}
	if h.IntN(6) == 0 {
		n.Architecture = "arm64"
	}
	if h.IntN(4) == 0 {
		n.Taints = []corev1.Taint{{Key: "dedicated", Effect: corev1.TaintEffectNoSchedule}}
	}
	if h.IntN(6) > 0 {
		n.Images = []ledger.ListedImage{}
		for _, ref := range twinImages() {
			if h.IntN(4) == 0 {
				n.Images = append(n.Images, ledger.ListedImage{
					Refs: []imageref.Ref{ref}, NameCount: 1 + 4*(h.IntN(6)/5), ReportedBytes: 10 * (1 + h.Int64N(5)),
				})
			}
		}
	}
	return n
}

func (h *history) lines() ledger.Lines {
	lines := ledger.DefaultLines()
	lines.Assumed, lines.MaxImagesListed = false, h.IntN(5)-1
	lines.ImageMinAge = time.Duration(h.IntN(4)) * time.Minute
	for i := range lines.Thresholds {
		t := &lines.Thresholds[i]
		t.Soft = h.IntN(4) == 0
		switch h.IntN(6) {
		case 0:
			t.MinReclaimPercent = float64(h.IntN(300)) / 10
		case 1:
			t.MinReclaimBytes = h.Int64N(200)
		case 2:
			t.Percent = 0
			if t.Signal == ledger.ImageFSInodesFree || t.Signal == ledger.NodeFSInodesFree {
				t.Inodes = h.Int64N(30)
			} else {
				t.Bytes, t.MinReclaimPercent = h.Int64N(300), 5
			}
		}
	}
	lines.Thresholds = lines.Thresholds[h.IntN(4)/3*h.IntN(5):]
	return lines
}

func (h *history) pod(name string) ledger.Pod {
	p := ledger.Pod{
		UID: h.uid(name), Namespace: fmt.Sprint("ns-", h.IntN(2)), Name: name, Finished: h.IntN(12) == 0, Deleting: h.IntN(12) == 0,
	}
	if h.IntN(3) > 0 {
		// A pod that is bound to two nodes in turn is none that exists, but it is a row.
		p.NodeName = fmt.Sprint("node-", (int(name[4])+h.IntN(8)/7)%3)
	} else {
		p.Gated, p.Unschedulable = h.IntN(8) == 0, h.IntN(6) == 0
		if h.IntN(6) == 0 {
			p.NominatedNodeName = fmt.Sprint("node-", h.IntN(3))
		}
		spec := corev1.PodSpec{}
		switch h.IntN(4) {
		case 0:
			spec.NodeSelector = map[string]string{"zone": "1"}
		case 1:
			spec.NodeSelector = map[string]string{"host": fmt.Sprint("node-", h.IntN(3))}
		case 2:
			spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		}
		p.Placement = placement.Of(&spec)
	}
	for i, ref := range twinImages() {
		if (int(name[4])+i)%3 != 0 && h.IntN(10) > 0 {
			p.Images = append(p.Images, h.podImage(ref, p.NodeName != ""))
		}
	}
	return p
}

func (h *history) podImage(ref imageref.Ref, bound bool) ledger.PodImage {
	image := ledger.PodImage{Ref: ref, PullPolicy: corev1.PullIfNotPresent}
	if h.IntN(12) == 0 {
		image.PullPolicy = corev1.PullNever
	}
	switch h.IntN(6) {
	case 0, 1:
		image.Pulled = bound
		if bound && h.IntN(4) > 0 {
			image.StartedAt = h.now.Add(-time.Duration(h.IntN(20)) * time.Second).Truncate(time.Second)
		}
		if bound && h.IntN(3) == 0 {
			image.ImageID = twinImages()[4]
		}
	case 2:
		image.Failing = bound
	}
	return image
}

// TestTwin compares every node's account with the one that the twin draws up, in
// random histories with late, repeated and contradictory events.
func TestTwin(t *testing.T) {
	const histories, steps = 300, 300
	for seed := range uint64(histories) {
		h := &history{Rand: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), uids: map[string]int{}}
		l, second := ledger.New(), &twin{}
		if seed%3 == 0 {
			l.Batch(func() {}, func() {})
		}
		sync := h.IntN(60)
		for step := range steps {
			e := h.next()
			if step == sync {
				e = event{kind: markSynced}
			}
			e.write(l)
			second.events = append(second.events, e)
			if step >= sync && (step%20 == 0 || step == steps-1) {
				l.Publish()
				if diff := compare(h, l.Snapshot(), second); diff != "" {
					t.Fatalf("history %d, step %d: account (-twin +ledger):\n%s", seed, step, diff)
				}
			}
		}
	}
}

func compare(h *history, s *ledger.Snapshot, second *twin) string {
	second.replay()
	v := ledger.View{Now: h.now, Namespace: fmt.Sprint("ns-", h.IntN(3)), MaxStaleness: time.Minute}
	if h.IntN(2) == 0 {
		v.Pod = h.uid(fmt.Sprint("pod-", h.IntN(8)))
	}
	if h.IntN(2) == 0 {
		v.Images = []imageref.Ref{twinImages()[h.IntN(6)], twinImages()[h.IntN(6)]}
	}
	declared := 800 * h.Int64N(2)
	v.DeclaredBytes = func(*ledger.NodeRow) int64 { return declared }
	v.Size = func(row *ledger.NodeRow, ref imageref.Ref, there imagesize.There) imagesize.Size {
		p := imagesize.Platform{OS: row.OS, Architecture: row.Architecture}
		return s.Evidence(ref, row.Runtime, p).Pull(row.Runtime, twinFactor, there)
	}
	v.Stored = func(row *ledger.NodeRow, s imagesize.Stored) estimate.Bytes {
		return s.OnDisk(row.Runtime, twinFactor, imagesize.Learned{})
	}
	if diff := gocmp.Diff(second.scaler, s.Autoscaler()); diff != "" {
		return "autoscaler\n" + diff
	}
	known := 0
	for name, n := range second.nodes {
		row, found := s.Node(name)
		if found != (n.node != nil) {
			return fmt.Sprintf("%s: in the ledger %v, for the twin %v", name, found, n.node != nil)
		}
		if !found {
			continue
		}
		known++
		for _, ref := range twinImages() {
			if got, want := row.Presence(ref), second.presence(name, ref); got != want {
				return fmt.Sprintf("%s: presence of %s is %s, for the twin %s", name, ref, got, want)
			}
		}
		got := s.Account(row, v)
		if diff := gocmp.Diff(second.account(name, v, declared), got, gocmp.Comparer(func(a, b imageref.Ref) bool { return a == b })); diff != "" {
			return name + "\n" + diff
		}
		if got.Available.High > got.Measured.High || got.Available.Likely > got.Measured.Likely {
			return fmt.Sprintf("%s: available %+v is more than measured %+v", name, got.Available, got.Measured)
		}
	}
	if s.Len() != known {
		return fmt.Sprintf("the ledger has %d nodes, the twin %d", s.Len(), known)
	}
	return ""
}
