// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/placement"
)

// skewed is a replica whose clock is wrong by a constant. It learns of node n as from an informer.
type skewed struct {
	*tainter
	skew  time.Duration
	sweep bool
	end   context.CancelFunc
}

func newSkewed(t *testing.T, client *fake.Clientset, skew time.Duration) *skewed {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	k := newTainterOf(client, steering())
	k.options.Now = func() time.Time { return time.Now().Add(skew) }
	watch, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k.inform(t, "n")
	go func() {
		defer watch.Stop()
		for {
			select {
			case <-watch.ResultChan():
				n, err := client.CoreV1().Nodes().Get(ctx, "n", metav1.GetOptions{})
				if err == nil {
					k.NodeSet(n, ledger.Node{})
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	go k.run(ctx)
	synctest.Wait()
	return &skewed{tainter: k, skew: skew, end: end}
}

// lead has the replica sweep until it ends.
func (s *skewed) lead(t *testing.T) *skewed {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	end := s.end
	s.end, s.sweep = func() { stop(); end() }, true
	go s.Sweep(ctx)
	synctest.Wait()
	return s
}

// A replica's clock may be wrong by more than anybody would guess: the taints it puts stay as long as they should, and go.
func TestClocksApart(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, -3 * time.Minute, -taintLife, 0, 3 * time.Minute, time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset(tainted("n"))
				leader, other := newSkewed(t, client, 0).lead(t), newSkewed(t, client, skew)
				other.put("n")
				time.Sleep(taintRenewal - time.Second)
				leader.put("n") // needs no new value
				time.Sleep(taintStays)
				synctest.Wait()
				if len(leader.has(t, "n")) != 1 {
					t.Errorf("gone too early\n%s", leader.log)
				}
				time.Sleep(taintSweep + time.Second)
				synctest.Wait()
				if has := leader.has(t, "n"); len(has) != 0 {
					t.Errorf("still there: %v", has)
				}
				leader.counted(t, map[string]float64{taintRemoved: 1})
				other.counted(t, map[string]float64{taintPut: 1})
			})
		})
	}
}

// TestTaintHistories has replicas with clocks that are wrong put taints, end, and follow one another. A taint never goes before
// its time, and always goes: each new leader gives it another life at most, and its value ends that.
func TestTaintHistories(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				client := fake.NewClientset(tainted("n"))
				// Two clocks are never further apart than what is tolerated.
				anew := func() *skewed {
					return newSkewed(t, client, time.Duration(random.Int64N(int64(clockTolerance)))-clockTolerance/2)
				}
				replicas := []*skewed{anew().lead(t), anew(), anew()}
				var last time.Time // when a binding was sent back
				var history []string
				for range 300 {
					time.Sleep(time.Duration(random.Int64N(int64(20 * time.Second))))
					i := random.IntN(len(replicas))
					switch action := random.IntN(12); {
					case action < 2 && replicas[i].put("n"):
						last = time.Now()
						history = append(history, fmt.Sprint(last.Format(time.TimeOnly), " put by ", i, ", skew ", replicas[i].skew))
					case action == 2: // killed: a new one follows, and if need be another one leads
						replicas[i].end()
						synctest.Wait()
						led := replicas[i].sweep
						replicas[i] = anew()
						if led {
							replicas[random.IntN(len(replicas))].lead(t)
						}
						history = append(history, fmt.Sprint(time.Now().Format(time.TimeOnly), " killed ", i, ", led ", led))
					}
					time.Sleep(100 * time.Millisecond)
					synctest.Wait()
					n, err := client.CoreV1().Nodes().Get(t.Context(), "n", metav1.GetOptions{})
					if err != nil {
						t.Fatal(err)
					}
					_, found := placement.SoftTaintSince(n.Spec.Taints)
					if age := time.Since(last); age < taintStays && !found {
						t.Fatalf("at %v gone after %v: %v", time.Now().Format(time.TimeOnly), age, history)
					} else if age > 2*taintLife+clockTolerance && found {
						t.Fatalf("at %v there after %v: %v", time.Now().Format(time.TimeOnly), age, history)
					}
				}
			})
		})
	}
}
