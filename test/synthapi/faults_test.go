// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestHistoriesEndInOneState has informers watch random changes through random faults. At the end they hold what there is.
func TestHistoriesEndInOneState(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			streaming(t, seed%2 == 0)
			random := rand.New(rand.NewPCG(seed, 0))
			o := smallFleet()
			o.Fleet.Seed, o.History = seed, 300
			o.BookmarkInterval = 5 * time.Millisecond
			s := start(t, o)
			client := clientOf(t, s, seed%4 < 2)
			often := func() int { return random.IntN(3) * 60 }
			for _, resource := range []string{Nodes, Pods} {
				s.SetFaults(resource, Faults{
					Seed: seed, CloseEvery: often(), BreakEvery: often(), ExpireEvery: often(), RepeatEvery: random.IntN(10),
					Reorder: random.IntN(12), ExpireContinueEvery: random.IntN(3), BreakListEvery: []int{0, 2, 3}[random.IntN(3)],
				})
			}
			w := follow(t, client)
			disturb(s, seed, random)
			awaitEqual(t, w, client)
		})
	}
}

// disturb plays a random history on the server, then has the server do without faults and end the watches under way.
func disturb(s *Server, seed uint64, random *rand.Rand) {
	churner := s.NewChurner(Churn{Seed: seed, PodsInMotion: 1 + random.IntN(100), ListEvery: 4})
	for step := range 1500 {
		perturb(s, random, step)
		churner.PodEvent()
		if step%3 == 0 {
			churner.NodeUpdate()
		}
	}
	for _, resource := range []string{Nodes, Pods} {
		s.SetFaults(resource, Faults{})
		s.End(resource, Closed)
	}
}

// perturb does what is rare.
func perturb(s *Server, random *rand.Rand, step int) {
	resource := []string{Nodes, Pods}[random.IntN(2)]
	switch random.IntN(60) {
	case 0:
		s.End(resource, []Ending{Closed, Broken, Expired}[random.IntN(3)])
	case 1:
		s.Compact(resource)
	case 2, 3:
		s.Put(Pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("own-", random.IntN(5)), UID: types.UID(strconv.Itoa(step))}})
	case 4:
		s.Delete(Pods, "default", fmt.Sprint("own-", random.IntN(5)))
	case 5:
		s.Put(Nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%06d", random.IntN(20)), UID: types.UID(strconv.Itoa(step))}})
	case 6:
		s.Delete(Nodes, "", fmt.Sprintf("node-%06d", random.IntN(20)))
	case 7:
		time.Sleep(10 * time.Millisecond)
	}
}

func TestSlowStreams(t *testing.T) {
	s := start(t, smallFleet())
	s.SetFaults(Nodes, Faults{BytesPerSecond: 200_000})
	streaming(t, true)
	began := time.Now()
	follow(t, clientOf(t, s, true))
	size := 0
	s.world.collections[Nodes].snapshot().each(0, func(i item) bool { size += s.world.collections[Nodes].size(&i); return true })
	if took, least := time.Since(began), time.Duration(float64(size)/200_000*float64(time.Second))-200*time.Millisecond; took < least {
		t.Errorf("%d bytes took %v, want at least %v", size, took, least)
	}
}
