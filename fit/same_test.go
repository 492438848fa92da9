// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/verdict"
)

// A pod that names one image twice pulls it once: an image of 100 bytes on a node where 200 are too many and 100 are not.
func TestOneImageOfSeveralNames(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0123456789abcdef", 4)
	byDigest, mirrored := "app"+digest, "mirror.example/app"+digest
	pod := func(images ...string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { *p = *podOf(images...); selects(corev1.LabelHostname, "a")(p) }
	}
	resolved := func(l *ledger.Ledger) {
		l.SetManifest(ref(t, "app:1"), linux, imagesize.Manifest{CompressedBytes: 100, Digest: digest[1:]})
	}
	// listing has a node list the image by both names.
	listing := func(n node) func(*ledger.Ledger) {
		return func(l *ledger.Ledger) {
			row := n.row()
			row.Images = []ledger.ListedImage{{Refs: []imageref.Ref{ref(t, byDigest), ref(t, "app:1")}, NameCount: 2, ReportedBytes: 100}}
			l.SetNode(row)
		}
	}
	both := map[string]int64{byDigest: 100, mirrored: 100, "app:1": 100}
	two := []node{available(300)[0], roomy("b")}
	run(t, map[string]situation{
		"nobody knows that they are the same": {
			nodes: available(300), registry: both, pod: pod("app:1", byDigest), action: Deny, verdict: verdict.EvictsPods,
		},
		"by digest, and at a mirror": {
			nodes: available(300), registry: both, pod: pod(byDigest, mirrored), action: Allow, verdict: verdict.Fits,
		},
		"by a tag that the registry resolved": {
			nodes: available(300), registry: both, ledger: resolved, pod: pod("app:1", byDigest), action: Allow, verdict: verdict.Fits,
		},
		"by a tag that another node lists with its digest": {
			nodes: two, registry: both, ledger: listing(two[1]), pod: pod(byDigest, "app:1"), action: Allow, verdict: verdict.Fits,
		},
		"on a node that has it": {
			nodes: available(0), registry: both, ledger: listing(available(0)[0]), pod: pod("app:1", mirrored), action: Allow, verdict: verdict.Fits,
		},
		"it still counts once": {
			nodes: available(240), registry: both, pod: pod(byDigest, mirrored), action: Deny, verdict: verdict.EvictsPods,
		},
		"and once where one name is never pulled": {
			nodes: available(240), registry: both, action: Deny, verdict: verdict.EvictsPods,
			pod: func(p *corev1.Pod) {
				pod(mirrored, byDigest)(p)
				p.Spec.Containers[0].ImagePullPolicy = corev1.PullNever
			},
		},
		"its size is told for one of the names": {
			nodes: available(240), registry: map[string]int64{}, ledger: resolved, pod: pod(byDigest, "app:1"), action: Deny, verdict: verdict.EvictsPods,
		},
		"a pod there is pulling it under another name": {
			nodes: available(300), registry: both, action: Allow, verdict: verdict.Fits, pod: pod(byDigest),
			ledger: func(l *ledger.Ledger) { bind(l, "first", "a", epoch, ref(t, mirrored)) },
		},
		"a new node would pull it once": {
			nodes: []node{labelled(available(0)[0], "agentpool", "x")}, registry: map[string]int64{byDigest: 500, mirrored: 500},
			pod:    func(p *corev1.Pod) { *p = *podOf(byDigest, mirrored) },
			action: Warn, verdict: verdict.FillsDisk, reason: ElasticPool,
		},
	})
}
