// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/placement"
)

// besieged is a ledger with so many images reserved that they are not asked for one by one. The same digests have names in
// several repositories; some of the images are on nodes, pulled by pods, or on their way.
func besieged(t testing.TB, rng *rand.Rand, nodes, pods int) *Ledger {
	t.Helper()
	ref := func(i int) imageref.Ref {
		name := fmt.Sprintf("example.com/%d/app", i%7)
		if i%3 == 0 {
			name += fmt.Sprintf("@sha256:%064x", i/2)
		} else {
			name += fmt.Sprintf(":v%d", i)
		}
		r, err := imageref.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	now := time.Unix(1_700_000_000, 0)
	l := New()
	for i := range nodes {
		n := Node{
			UID: types.UID(fmt.Sprint("uid-", i)), Runtime: imagesize.Containerd, Images: []ListedImage{},
			Node: placement.Node{Name: fmt.Sprint("node-", i), OS: "linux", Architecture: "amd64", Ready: true, Labels: map[string]string{"zone": strconv.Itoa(i % 2)}},
		}
		for range 40 {
			k := rng.IntN(1500)
			n.Images = append(n.Images, ListedImage{Refs: []imageref.Ref{ref(k)}, NameCount: 1, ReportedBytes: int64(1000 + k)})
		}
		l.SetNode(n)
		l.SetMeasurement(n.Name, Measurement{NodeUID: n.UID, CapacityBytes: 1e9, AvailableBytes: 5e8, SampledAt: now, ReceivedAt: now})
		for k := range 6 {
			image := PodImage{Ref: ref(rng.IntN(1500)), PullPolicy: corev1.PullIfNotPresent, Pulled: k%2 == 0}
			l.SetPod(Pod{UID: types.UID(fmt.Sprint("bound-", i, "-", k)), Namespace: "team", Name: fmt.Sprint("bound-", k), NodeName: n.Name, Images: []PodImage{image}}, now)
		}
	}
	for i := range pods {
		p := Pod{UID: types.UID(fmt.Sprint("waits-", i)), Namespace: fmt.Sprint("team", i%3), Name: fmt.Sprint("waits-", i)}
		spec := &corev1.PodSpec{}
		switch rng.IntN(4) {
		case 0:
			spec.NodeSelector = map[string]string{"zone": "1"}
		case 1:
			spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{
					{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"node-1"}},
				}}},
			}}}
		}
		p.Placement = placement.Of(spec)
		for range 60 {
			p.Images = append(p.Images, PodImage{Ref: ref(rng.IntN(3000)), PullPolicy: corev1.PullIfNotPresent})
		}
		l.SetPod(p, now)
	}
	l.MarkSynced()
	return l
}

// TestWhatIsReservedByNameIsWhatIsReservedOneByOne: looking up what a node has gives the same as asking for each image.
func TestWhatIsReservedByNameIsWhatIsReservedOneByOne(t *testing.T) {
	indexed, certain, underWay := 0, 0, 0
	for seed := range uint64(20) {
		s := besieged(t, rand.New(rand.NewPCG(seed, 0)), 12, 40).Snapshot()
		view := View{Now: time.Unix(1_700_000_030, 0), Namespace: "team1"}
		byName, oneByOne := s.Accounts(view), s.Accounts(view)
		for row := range s.Nodes() {
			oneByOne.Of(row) // makes the plans
		}
		for _, k := range oneByOne.kinds {
			for _, p := range k.plans.byGroups {
				if p.byName != nil {
					indexed++
				}
				certain += len(p.certain)
				p.byName = nil
			}
		}
		for row := range s.Nodes() {
			if diff := cmp.Diff(oneByOne.Of(row), byName.Of(row), cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })); diff != "" {
				t.Fatalf("seed %d, %s (-one by one +by name):\n%s", seed, row.Name, diff)
			}
			underWay += len(byName.underWayScratch)
		}
	}
	if indexed < 20 || certain < 20 || underWay < 1000 {
		t.Errorf("%d plans looked up by name, with %d images that are certain, %d that nodes have: too few to tell", indexed, certain, underWay)
	}
}

func BenchmarkAccounts1000NodesWhile500PodsReserve30000Images(b *testing.B) {
	s := besieged(b, rand.New(rand.NewPCG(1, 0)), 1000, 500).Snapshot()
	for b.Loop() {
		accounts := s.Accounts(View{Now: time.Unix(1_700_000_030, 0), Namespace: "other"})
		for row := range s.Nodes() {
			accounts.Of(row)
		}
	}
}
