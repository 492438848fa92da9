// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/placement"
)

var parkedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// replica is pod i of a set, bound to "n", with one image that is there.
func replica(t *testing.T, i int) Pod {
	t.Helper()
	image, err := imageref.Parse("app:1")
	if err != nil {
		t.Fatal(err)
	}
	return Pod{
		UID: types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)), Namespace: "ns", Name: fmt.Sprintf("web-5d4-%05d", i), NodeName: "n",
		CreatedUnixSeconds: int64(i), Requests: placement.Resources{MilliCPU: 100, Pods: 1},
		Images: []PodImage{{Ref: image, Pulled: true, StartedAt: parkedAt.Add(-time.Hour)}},
	}
}

func (l *Ledger) census() (pods, parked, shapes int) {
	return len(l.pods), l.parked.count, len(l.shapes)
}

func TestPodsAreParkedUntilTheyChange(t *testing.T) {
	l := New()
	l.SetNode(Node{Node: placement.Node{Name: "n"}, UID: "n"})
	want := func(about string, pods, parked, shapes int) {
		t.Helper()
		if a, b, c := l.census(); a != pods || b != parked || c != shapes {
			t.Errorf("%s: %d pods, %d parked ones of %d shapes; want %d, %d, %d", about, a, b, c, pods, parked, shapes)
		}
	}
	for i := range 3 {
		l.SetPod(replica(t, i), parkedAt)
	}
	want("those that run", 0, 3, 1)
	pulls := replica(t, 3)
	pulls.Images[0].Pulled = false
	l.SetPod(pulls, parkedAt)
	want("one that has not got its image yet", 1, 3, 1)
	l.MarkSynced()
	before := l.Snapshot()

	restarted := replica(t, 1)
	restarted.Images[0].StartedAt = parkedAt
	l.SetPod(restarted, parkedAt)
	l.SetPod(replica(t, 2), parkedAt)
	unbound := replica(t, 2)
	unbound.NodeName = ""
	l.SetPod(unbound, parkedAt)
	if l.Snapshot() != before {
		t.Error("an event that says nothing new of a parked pod made another snapshot")
	}
	want("after events that say nothing new", 1, 3, 1)

	failing := replica(t, 1)
	failing.Images[0].Failing = true
	l.SetPod(failing, parkedAt)
	want("one whose image fails", 2, 2, 1)
	l.SetPod(replica(t, 1), parkedAt)
	want("one that runs again", 1, 3, 1)
	finished := replica(t, 0)
	finished.Finished = true
	l.SetPod(finished, parkedAt)
	want("one that is done is of another shape", 1, 3, 2)

	for i := range 4 {
		l.DeletePod(replica(t, i).UID, parkedAt)
	}
	want("none", 0, 0, 0)
	if row, _ := l.Snapshot().Node("n"); row.Uses(replica(t, 0).Images[0].Ref) {
		t.Error("an image is in use by pods that are gone")
	}
}

// A parked pod is the one that was written, but for when its containers started.
func TestParkedPodsAreThoseThatWereWritten(t *testing.T) {
	l := New()
	l.SetNode(Node{Node: placement.Node{Name: "n"}, UID: "n"})
	rows := []Pod{replica(t, 0), replica(t, 1), replica(t, 2), replica(t, 3)}
	rows[1].UID = "not a UUID"
	rows[2].Name = "a-name-that-ends-with-more-than-controllers-make"
	rows[3].Name = "web"
	for i := range rows {
		l.SetPod(rows[i], parkedAt)
		rows[i].Images[0].StartedAt = time.Time{}
	}
	l.MarkSynced()
	row, _ := l.Snapshot().Node("n")
	var got []Pod
	for p := range row.Pods() {
		got = append(got, *p)
	}
	same := cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })
	if diff := cmp.Diff([]Pod{rows[2], rows[3], rows[0], rows[1]}, got, same); diff != "" {
		t.Errorf("pods of the node (-written +got):\n%s", diff)
	}
	held := map[string]types.UID{}
	for h := range l.HeldPods() {
		held[h.Name()] = h.UID()
		if h.NodeName != "n" || h.Row.Namespace != "ns" {
			t.Errorf("%s is in %s on %q", h.Name(), h.Row.Namespace, h.NodeName)
		}
	}
	if diff := cmp.Diff(map[string]types.UID{"web": rows[3].UID, rows[2].Name: rows[2].UID, rows[0].Name: rows[0].UID, rows[1].Name: "not a UUID"}, held); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	var known UIDs
	for _, uid := range []types.UID{rows[0].UID, "not a UUID", rows[2].UID, "unheard of"} {
		known.Add(uid)
	}
	if others := l.PodsBut(&known); !cmp.Equal(others, []types.UID{rows[3].UID}) {
		t.Errorf("pods but for three: %q", others)
	}
}
