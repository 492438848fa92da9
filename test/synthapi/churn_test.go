// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-dev/headroom/test/synthapi/fleet"
)

// offline is a server that nobody can reach.
func offline(t *testing.T, o fleet.Options) *Server {
	t.Helper()
	f, err := fleet.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Fleet: f, world: newWorld(f, 100_000)}
}

func TestChurnKeepsItsRates(t *testing.T) {
	s := offline(t, fleet.Options{Nodes: 500, Pods: 20_000, Templates: 20})
	synctest.Test(t, func(t *testing.T) {
		churner := s.NewChurner(Churn{PodEventsPerSecond: 5000, NodeUpdatesPerSecond: 1500, ListEvery: 10})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		podEvents, nodeUpdates := churner.Run(ctx)
		if podEvents < 49_900 || podEvents > 50_000 || nodeUpdates < 14_970 || nodeUpdates > 15_000 {
			t.Errorf("%d pod events and %d node updates in 10 s, want 50000 and 15000", podEvents, nodeUpdates)
		}
	})
	changes, lists := map[change]int{}, 0
	for _, e := range s.world.collections[Pods].log.events {
		changes[e.change]++
	}
	for _, n := range s.world.collections[Nodes].states {
		lists += int(n.Life)
	}
	if changes[added] < 8000 || changes[deleted] < 8000 || changes[modified] < 25_000 {
		t.Errorf("the pods' changes are %v, want lives of one added, one deleted and three modified", changes)
	}
	if lists < 1300 || lists > 1700 {
		t.Errorf("%d lists of images changed, want about 1500", lists)
	}
}

// TestReorderingKeepsWhatItPromises: all events are there, and those of an object in their order unless asked.
func TestReorderingKeepsWhatItPromises(t *testing.T) {
	s := offline(t, fleet.Options{Nodes: 5, Pods: 20, Templates: 10})
	churner := s.NewChurner(Churn{PodsInMotion: 8})
	for range 200 {
		churner.PodEvent()
	}
	c := s.world.collections[Pods]
	events := c.log.events
	s.faults = map[string]Faults{Pods: {Reorder: 200}}
	kept := s.faultsFor(c).arranged(c, events)
	s.faults[Pods] = Faults{Reorder: 200, ReorderObjects: true}
	mixed := s.faultsFor(c).arranged(c, events)
	versions := func(all []event) (v []uint64) {
		for i := range all {
			v = append(v, all[i].version())
		}
		return v
	}
	ordered := func(all []event) bool {
		last := map[string]uint64{}
		for i := range all {
			namespace, name := c.keyOf(&all[i].item)
			if all[i].version() < last[keyOf(namespace, name)] {
				return false
			}
			last[keyOf(namespace, name)] = all[i].version()
		}
		return true
	}
	if slices.IsSorted(versions(kept)) || !ordered(kept) {
		t.Error("events of different objects keep their order, or those of one don't")
	}
	if ordered(mixed) {
		t.Error("events of one object keep their order although they need not")
	}
	for _, all := range [][]event{kept, mixed} {
		v := versions(all)
		slices.Sort(v)
		if !slices.Equal(v, versions(events)) {
			t.Error("some events are missing, or there are others")
		}
	}
}

func TestWhatIsControlledFromOutside(t *testing.T) {
	s := start(t, smallFleet())
	ask := func(method, path, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/synthapi/"+path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	before := s.Version()
	if code, text := ask(http.MethodPut, "churn", `{"PodEventsPerSecond": 2000}`); code != http.StatusOK {
		t.Fatalf("churn: %d %s", code, text)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Version() < before+100; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing changes")
		}
	}
	if code, text := ask(http.MethodPut, "churn", "{}"); code != http.StatusOK {
		t.Fatalf("churn: %d %s", code, text)
	}
	if s.churning.churner.churn.PodEventsPerSecond != 0 || len(s.churning.churner.moving) == 0 {
		t.Error("the pods that are on their way are forgotten, or go on")
	}
	for path, want := range map[string]int{
		"faults/pods": http.StatusOK, "faults/unicorns": http.StatusBadRequest, "churn": http.StatusBadRequest,
	} {
		if code, text := ask(http.MethodPut, path, `{"CloseEvery": 5}`); code != want {
			t.Errorf("PUT %s: %d %s, want %d", path, code, text, want)
		}
	}
	for path, want := range map[string]int{
		"end/pods/broken": http.StatusOK, "end/pods/softly": http.StatusBadRequest, "compact/nodes": http.StatusOK,
	} {
		if code, text := ask(http.MethodPost, path, ""); code != want {
			t.Errorf("POST %s: %d %s, want %d", path, code, text, want)
		}
	}
	if code, text := ask(http.MethodGet, "counts", ""); code != http.StatusOK || !strings.Contains(text, `"Watching":0`) {
		t.Errorf("counts: %d %s", code, text)
	}
}
