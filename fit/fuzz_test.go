// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// Sizes past all counting neither panic nor come out as small ones.
func TestSizesPastAllCounting(t *testing.T) {
	huge := []int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 / 2, 1 << 62, math.MaxInt64/2 + 1}
	for _, a := range huge {
		for _, b := range huge {
			l := world(roomy("a"), roomy("b"))
			registry(t, l, map[string]int64{"app": a, "b": b})
			if d := Evaluate(l.Snapshot(), RequestOf(podOf("app", "b")), enforcing(), epoch); d.Action != Deny {
				t.Errorf("%d and %d bytes on a disk of 1000: %s", a, b, d.Message)
			}
			l = world(node{name: "a", capacity: math.MaxInt64, available: math.MaxInt64})
			registry(t, l, map[string]int64{"app": a / 4, "b": 1})
			if d := Evaluate(l.Snapshot(), RequestOf(podOf("app", "b")), enforcing(), epoch); d.Action == Deny {
				t.Errorf("%d bytes on the largest disk: %s", a/4, d.Message)
			}
			bind(l, "1", "a", epoch, ref(t, "app"))
			if d := Evaluate(l.Snapshot(), RequestOf(podOf("b")), enforcing(), epoch); d.Action == Deny {
				t.Errorf("one byte on the largest disk, with %d to come: %s", a/4, d.Message)
			}
		}
	}
}

// Whatever a pod, a registry and a kubelet say, there is a decision with a message that is one.
func FuzzEvaluate(f *testing.F) {
	f.Add("app", "node-a", "team", uint16(1), []byte("0123456789abcdef0123456789abcdef"), byte(0))
	f.Add("app\n\x1b[2J", "\u202enode", "kube-system", uint16(1000), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, byte(0xff))
	f.Add("app", "node-a", "Deployment", uint16(1), []byte(strings.Repeat("\x00\x01", 32)), byte(32|16))
	f.Add("app", "node-a", "DaemonSet", uint16(2), []byte(strings.Repeat("\x00\x01", 32)), byte(64|16))
	f.Add(strings.Repeat("x", 5000), strings.Repeat("n", 5000), "", uint16(0), []byte{}, byte(3))
	f.Fuzz(func(t *testing.T, image, nodeName, namespace string, count uint16, sizes []byte, bits byte) {
		number := func(i int) int64 {
			var word [8]byte
			if 8*i < len(sizes) {
				copy(word[:], sizes[8*i:])
			}
			return int64(binary.LittleEndian.Uint64(word[:]))
		}
		count %= 1200
		pod := podOf()
		pod.Namespace, pod.Name = namespace, nodeName
		for i := range count {
			name := image
			if bits&1 == 0 {
				name = fmt.Sprintf("%s%d", image, i)
			}
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{Image: name})
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: name, Operator: corev1.TolerationOpExists})
		}
		if bits&2 != 0 {
			pod.Spec.NodeName = nodeName
		}
		if bits&4 != 0 {
			pod.Spec.NodeSelector = map[string]string{nodeName: image}
		}
		l := world(roomy("a"), node{name: nodeName, capacity: number(0), available: number(1), images: nil})
		r := RequestOf(pod)
		switch {
		case bits&32 != 0:
			r = RequestOfTemplate(pod, Workload{Kind: namespace, Replicas: int(number(7))})
		case bits&64 != 0:
			r = RequestOfTemplate(pod, Workload{Kind: namespace, EveryNode: true})
		}
		for i, image := range r.Images {
			l.SetManifest(image.Ref, linux, imagesize.Manifest{CompressedBytes: number(i % 8)})
		}
		l.SetLines("a", "a", ledger.Lines{GCHighPercent: int(number(2)), Thresholds: []ledger.Threshold{{Signal: ledger.ImageFSAvailable, Bytes: number(3)}}})
		bind(l, "1", "a", epoch, ref(t, "app"))
		p := enforcing()
		p.NodePools[0].DiskFactor = &estimate.Factor{Low: math.Float64frombits(uint64(number(4))), Likely: 1, High: math.Float64frombits(uint64(number(5)))}
		p.SafetyMargin.Percent = float64(number(6))
		p.Messages = policy.Messages{NodeNames: bits&8 != 0, Numbers: bits&16 != 0}
		r.NamespaceMode = nodeName
		d := Evaluate(l.Snapshot(), r, p, epoch)
		checkPlain(t, d.Message)
		if d.Action == Deny && r.Workload != nil {
			t.Fatalf("a template is denied: %+v", d)
		}
		if d.Action == Deny && d.Possible == 0 {
			t.Fatalf("denied without a node: %+v", d)
		}
		if d.Need.Low > d.Need.Likely || d.Need.Likely > d.Need.High || d.Need.Low < 0 {
			t.Fatalf("need %+v", d.Need)
		}
	})
}
