// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// TestWhatIsReadBackAnswersAlike: a snapshot that was written down and read back is the same text again, and draws up the
// accounts of the twin, in random histories.
func TestWhatIsReadBackAnswersAlike(t *testing.T) {
	const histories, steps = 100, 300
	seen := ledger.Written{}
	for seed := range uint64(histories) {
		h := &history{Rand: rand.New(rand.NewPCG(seed, 5)), now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), uids: map[string]int{}}
		l, second := ledger.New(), &twin{}
		for step := range steps {
			e := h.next()
			if step == 10 {
				e = event{kind: markSynced}
			}
			e.write(l)
			second.events = append(second.events, e)
			if step < 10 || step%30 != 0 {
				continue
			}
			read, text := again(t, l.Snapshot())
			if _, twice := again(t, read); twice != text {
				t.Fatalf("history %d, step %d: read back and written once more (-first +second):\n%s", seed, step, gocmp.Diff(text, twice))
			}
			if diff := compare(h, read, second); diff != "" {
				t.Fatalf("history %d, step %d: account (-twin +read back):\n%s", seed, step, diff)
			}
			w := read.Write()
			seen.Unbound, seen.Manifests = append(seen.Unbound, w.Unbound...), append(seen.Manifests, w.Manifests...)
			seen.Nodes = append(seen.Nodes, w.Nodes...)
		}
	}
	claims, gone := 0, 0
	for _, n := range seen.Nodes {
		claims, gone = claims+len(n.Claims), gone+len(n.Gone)
	}
	if claims == 0 || gone == 0 || len(seen.Unbound) == 0 || len(seen.Manifests) == 0 {
		t.Errorf("%d claims, %d pods that are gone, %d unbound ones, %d manifests: want some of all", claims, gone, len(seen.Unbound), len(seen.Manifests))
	}
}

// TestAllIsWritten: nothing that writers can tell is left out, whatever is added.
func TestAllIsWritten(t *testing.T) {
	pool := imagesize.PoolKey{Pool: "gpu", Runtime: imagesize.Containerd, Platform: linux}
	learned := imagesize.Learned{Kept: &estimate.Factor{Low: 0.5, Likely: 0.75, High: 1}, Lazy: true, Observations: 3}
	l := ledger.New()
	var node ledger.Node
	fill(t, reflect.ValueOf(&node).Elem())
	node.Images = nil
	var waits, bound ledger.Pod
	fill(t, reflect.ValueOf(&waits).Elem())
	fill(t, reflect.ValueOf(&bound).Elem())
	waits.NodeName, waits.Finished, waits.Deleting = "", false, false
	bound.UID, bound.NodeName = "bound", node.Name
	l.SetNode(node)
	l.SetPod(waits, time.Time{})
	l.SetPod(bound, time.Time{})
	l.SetPulled(mustParse("a"), imagesize.Containerd, linux, 7)
	l.SetLearned(pool, learned)
	l.SetObserved(pool, mustParse("a"), estimate.Exactly(5))
	l.SetAutoscaler(ledger.Autoscaler{Present: true, Groups: []ledger.NodeGroup{{Name: "g", Nodes: 1, MaxNodes: 2}}})
	l.MarkSynced()

	read, _ := again(t, l.Snapshot())
	refs := gocmp.Options{sameRef(), gocmp.Comparer(func(a, b ledger.Pod) bool { return reflect.DeepEqual(a, b) })}
	pod, found := read.UnboundPod(waits.UID)
	if !found || !gocmp.Equal(waits, *pod, refs) {
		t.Errorf("the pod that waits is\n%+v\nwant\n%+v", pod, waits)
	}
	row, found := read.Node(node.Name)
	if !found || !reflect.DeepEqual(node, *row.Node) {
		t.Errorf("the node is\n%+v\nwant\n%+v", row.Node, node)
	}
	for pod := range row.Pods() {
		if !reflect.DeepEqual(bound, *pod) {
			t.Errorf("the bound pod is\n%+v\nwant\n%+v", pod, bound)
		}
	}
	if got := read.Learned(pool); !got.Equal(learned) {
		t.Errorf("learned %+v, want %+v", got, learned)
	}
	if got := read.Observed(pool, mustParse("a")); got != estimate.Exactly(5) {
		t.Errorf("observed %+v, want 5", got)
	}
	if got := read.Evidence(mustParse("a"), imagesize.Containerd, linux).Pulled; got != estimate.Exactly(7) {
		t.Errorf("pulled %+v, want 7", got)
	}
	if diff := gocmp.Diff(l.Snapshot().Autoscaler(), read.Autoscaler()); diff != "" {
		t.Errorf("autoscaler (-want +got):\n%s", diff)
	}
	if read.Generation() != l.Snapshot().Generation() || !read.Synced() {
		t.Errorf("generation %d, synced %v", read.Generation(), read.Synced())
	}
}

// fill gives every exported field a value that is not its zero one.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)))
		return
	case reflect.TypeOf(mustParse("a")):
		v.Set(reflect.ValueOf(mustParse("filled:1")))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("filled")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && field.Tag.Get("json") != "-" {
				fill(t, v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer: // of a taint's time and of constraints, which have a test of their own
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

// again writes a snapshot as JSON and reads it back.
func again(t *testing.T, s *ledger.Snapshot) (read *ledger.Snapshot, text string) {
	t.Helper()
	body, err := json.Marshal(s.Write())
	if err != nil {
		t.Fatal(err)
	}
	var w ledger.Written
	if err := json.Unmarshal(body, &w); err != nil {
		t.Fatal(err)
	}
	return ledger.Read(&w), string(body)
}
