// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/test/largest"
)

// Of many images, those that need most are looked at, wherever they are in the pod.
func TestTheLargestImagesAreLookedAt(t *testing.T) {
	for _, c := range []struct {
		images, large int
		want          Action
		reason        Reason
	}{
		{maxImages, -1, Allow, UnknownSize},
		{maxImages, maxImages - 1, Deny, ""},
		{20 * maxImages, -1, Allow, ManyImages},
		{20 * maxImages, 0, Deny, ""},
		{20 * maxImages, 20*maxImages - 1, Deny, ""},
	} {
		l := world(roomy("a"), full("b"))
		var names []string
		for i := range c.images {
			names = append(names, fmt.Sprintf("r%d/i%d", i%9, i))
			if c.images > maxImages {
				registry(t, l, map[string]int64{names[i]: 1})
			}
		}
		if c.large >= 0 {
			registry(t, l, map[string]int64{names[c.large]: 800})
		}
		d := Evaluate(l.Snapshot(), RequestOf(podOf(names...)), enforcing(), epoch)
		if d.Action != c.want || d.Reason != c.reason {
			t.Errorf("%d images, the %dth of them large: %s, reason %q: %s", c.images, c.large, d.Action, d.Reason, d.Message)
		}
		if leftOut := d.LeftOut > 0; leftOut != (c.images > maxImages) {
			t.Errorf("%d images: left out %v", c.images, d.LeftOut)
		}
	}
}

// BenchmarkEvaluateLargest1000Nodes judges pods that are as large as can be. The API server waits for two seconds.
func BenchmarkEvaluateLargest1000Nodes(b *testing.B) {
	l, p := fleet(b, 1000), enforcing()
	pods := largest.Pods("app", largest.MaxBytes)
	// One of them has images of as many layers as runtimes take, all upon the same one.
	pods["Layers"] = pods["Volumes"].DeepCopy()
	for i := range pods["Layers"].Spec.Volumes[:maxImages] {
		image := fmt.Sprintf("layered/v%d", i)
		pods["Layers"].Spec.Volumes[i].Image.Reference = image
		m := imagesize.Manifest{CompressedBytes: 128 << 20}
		for k := range 128 {
			name := fmt.Sprint("base ", k)
			if k > 64 {
				name = fmt.Sprint(i, k)
			}
			m.Layers = append(m.Layers, imagesize.Layer{Digest: name, ChainID: name, CompressedBytes: 1 << 20})
		}
		l.SetManifest(ref(b, image), linux, m)
	}
	s := l.Snapshot()
	s.Prepare()
	for kind, pod := range pods {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				Evaluate(s, RequestOf(pod), p, epoch)
			}
		})
	}
}

// BenchmarkEvaluateBesieged1000Nodes judges an ordinary pod while 100 others want as many images as are looked at, each of
// its own: while they wait, and while they are bound to ten of the nodes.
func BenchmarkEvaluateBesieged1000Nodes(b *testing.B) {
	l := fleet(b, 1000)
	besiege := func(node func(i int) string) {
		for i := range 100 {
			row := ledger.Pod{UID: types.UID(fmt.Sprint("siege-", i)), Namespace: "x", Name: fmt.Sprint("siege-", i), NodeName: node(i), Placement: placement.Of(nil)}
			for k := range maxImages {
				row.Images = append(row.Images, ledger.PodImage{Ref: ref(b, fmt.Sprintf("siege-%d/%d:1", i, k)), PullPolicy: corev1.PullIfNotPresent})
			}
			l.SetPod(row, epoch)
		}
	}
	besiege(func(int) string { return "" })
	b.Run("Waiting", func(b *testing.B) { evaluate(b, l, podOf("registry.example.com/new/app:v1")) })
	besiege(func(i int) string { return fmt.Sprintf("node-%05d", i%10) })
	b.Run("Bound", func(b *testing.B) { evaluate(b, l, podOf("registry.example.com/new/app:v1")) })
}
