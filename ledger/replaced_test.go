// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
)

// What is told to have been replaced is what a look at all nodes finds, in clusters of several chunks of rows.
func TestReplacedRowsAreTold(t *testing.T) {
	told, others := 0, 0
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 21))
		w := lt.New(t)
		for i := range 150 {
			w.Node(fmt.Sprintf("node-%03d", i))
		}
		past := []*ledger.Snapshot{w.Ledger.Snapshot()}
		for step := range 200 {
			name := fmt.Sprintf("node-%03d", random.IntN(150))
			switch random.IntN(30) {
			case 0:
				w.Ledger.DeleteNode(name, "")
			case 1:
				w.Node(name, lt.Label("step", strconv.Itoa(step)))
			default:
				w.Pod(fmt.Sprint("pod-", step), lt.On(name), lt.Wants("app:v1"))
			}
			s, before := w.Ledger.Snapshot(), past[max(0, len(past)-1-random.IntN(12))]
			past = append(past, s)
			got, same := s.ReplacedSince(before)
			if !same {
				others++
				continue
			}
			if names := namesOf(s); !slices.Equal(names, namesOf(before)) {
				t.Fatalf("seed %d, step %d: other nodes are told to be the same", seed, step)
			}
			told += len(got)
			if diff := gocmp.Diff(replacedByALook(s, before), placesOf(got)); diff != "" {
				t.Fatalf("seed %d, step %d: replaced rows (-by a look +told):\n%s", seed, step, diff)
			}
			for i := range got {
				if row, found := s.Node(got[i].Row.Name); !found || row.ID() != got[i].Row.ID() {
					t.Fatalf("seed %d, step %d: another row is told of %s than there is", seed, step, got[i].Row.Name)
				}
			}
		}
	}
	if told < 1000 || others < 100 {
		t.Errorf("%d rows were told, and %d times there were other nodes", told, others)
	}
}

func namesOf(s *ledger.Snapshot) (names []string) {
	for row := range s.Nodes() {
		names = append(names, row.Name)
	}
	return names
}

func replacedByALook(s, before *ledger.Snapshot) (places []int) {
	at := 0
	for row := range s.Nodes() {
		if was, _ := before.Node(row.Name); was.ID() != row.ID() {
			places = append(places, at)
		}
		at++
	}
	return places
}

func placesOf(replaced []ledger.Replaced) (places []int) {
	for i := range replaced {
		places = append(places, replaced[i].Place)
	}
	return places
}
