// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/verdict"

	"github.com/headroom-dev/headroom/hack/bench/review"
)

// decisions are about typical pods over a fleet of that kind.
func decisions(t *testing.T, kind string) (all []fit.Decision) {
	t.Helper()
	evaluator := Evaluator(Of(300, kind).Ledger())
	for _, pod := range review.Pods(Wanted()) {
		all = append(all, evaluator.Evaluate(fit.RequestOf(pod)))
	}
	return all
}

func TestEverythingFitsOnRoomyNodes(t *testing.T) {
	for _, kind := range []string{Roomy, Burst} {
		for i, d := range decisions(t, kind) {
			if d.Verdict != verdict.Fits || d.Possible == 0 || d.Counts.Of(verdict.Fits) != d.Possible {
				t.Errorf("%s: pod %d: %s, %v of %d nodes: %s", kind, i, d.Verdict, d.Counts, d.Possible, d.Message)
			}
			if d.Reason != "" {
				t.Errorf("%s: pod %d: %s", kind, i, d.Reason)
			}
		}
	}
}

func TestPodsWaitForTheImagesThatAreAskedForInABurstOnly(t *testing.T) {
	for kind, want := range map[string]int{Roomy: 0, NearlyFull: 0, Burst: 8} {
		found := 0
		for k := range Of(10, kind).WaitingPods {
			pod := Of(10, kind).WaitingPod(k)
			for _, c := range pod.Spec.Containers {
				if k < 8 && c.Image == Wanted()[k] && pod.Namespace == "shop" {
					found++
				}
			}
		}
		if found != want {
			t.Errorf("%s: %d of the first 8 pods that wait want the images of the load, want %d", kind, found, want)
		}
	}
}

func TestPodsAreOfTemplates(t *testing.T) {
	f := Of(1, Roomy)
	if a, b := f.Pod(0, 0), f.Pod(0, 1); a.UID == b.UID || a.Name == b.Name || len(a.UID) != 36 {
		t.Errorf("%s %s and %s %s", a.Name, a.UID, b.Name, b.UID)
	}
	templates := map[string]bool{}
	for i := range 2000 {
		for k := range 30 {
			pod := f.Pod(i, k)
			templates[pod.Labels["app"]+pod.Spec.Containers[0].Image+pod.Spec.Containers[1].Image] = true
		}
	}
	if len(templates) > 1995 {
		t.Errorf("60,000 pods are of %d templates", len(templates))
	}
}

func TestOnNearlyFullNodesItDependsOnTheImages(t *testing.T) {
	for i, d := range decisions(t, NearlyFull) {
		verdicts := 0
		for _, v := range verdict.All() {
			if d.Counts.Of(v) > 0 {
				verdicts++
			}
		}
		if verdicts < 2 || d.Counts.Of(verdict.Unknown) > 0 {
			t.Errorf("pod %d: %v of %d nodes: all nodes are alike, or not known", i, d.Counts, d.Possible)
		}
	}
}

func TestFleetIsTheSameEveryTime(t *testing.T) {
	for _, i := range []int{0, 3, 14999} {
		if diff := cmp.Diff(Of(15000, Roomy).Node(i), Of(15000, Roomy).Node(i)); diff != "" {
			t.Errorf("node %d: %s", i, diff)
		}
	}
}

func TestNodesListWhatWasAskedFor(t *testing.T) {
	f := Of(100, Roomy)
	f.ImagesPerNode = 200
	node := f.Node(42)
	names := map[string]bool{}
	for _, image := range node.Status.Images {
		names[image.Names[1]] = true
	}
	if len(names) != 200 {
		t.Errorf("%d different images, want 200", len(names))
	}
	if len(node.Spec.Taints) != 0 || len(f.Node(43).Spec.Taints) != 1 {
		t.Error("the nodes of the last of four pools have a taint, and no others")
	}
}

func TestWantedImagesAreKnownSomewhere(t *testing.T) {
	snapshot := Of(400, Roomy).Ledger().Snapshot()
	for _, name := range Wanted() {
		ref, err := imageref.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for row := range snapshot.Nodes() {
			for listed := range row.Images() {
				for _, r := range listed.Refs {
					found = found || r == ref
				}
			}
		}
		if !found {
			t.Errorf("no node lists %s: its size is unknown, and the decision another one", name)
		}
	}
}

func TestMistakesInASpec(t *testing.T) {
	for about, c := range map[string]struct {
		spec Spec
		want string
	}{
		"none":              {Of(1, Roomy), ""},
		"no nodes":          {Of(0, Roomy), "needs nodes"},
		"no such kind":      {Of(1, "empty"), `got "empty"`},
		"images for nobody": {Spec{Nodes: 1, Kind: Roomy, ImagesPerNode: 1}, "got 1"},
	} {
		t.Run(about, func(t *testing.T) {
			err := c.spec.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
