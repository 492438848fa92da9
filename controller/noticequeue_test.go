// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// inTurn puts notices named like "a1" and "b2", in namespaces a and b, into a queue for four, and returns those that were not
// taken, those that were dropped for others, and those that are left, in their order.
func inTurn(names ...string) (refused, dropped, left []string) {
	q := newNoticeQueue(4)
	for _, name := range names {
		taken, lost := q.put(Notice{About: corev1.ObjectReference{Namespace: name[:1], Name: name}})
		if !taken {
			refused = append(refused, name)
		}
		if lost != nil {
			dropped = append(dropped, lost.About.Name)
		}
	}
	for q.len() > 0 {
		left = append(left, q.next().About.Name)
	}
	if len(q.waiting) > 0 || len(q.turns) > 0 {
		left = append(left, "what an empty queue should not have")
	}
	return refused, dropped, left
}

func TestNamespacesTakeTurns(t *testing.T) {
	for name, tc := range map[string]struct {
		put, refused, dropped, left string
	}{
		"one alone is told in its order":            {"a1 a2 a3", "", "", "a1 a2 a3"},
		"one that comes later waits for one notice": {"a1 a2 a3 b1", "", "", "a1 b1 a2 a3"},
		"each has its turn":                         {"a1 a2 b1 c1", "", "", "a1 b1 c1 a2"},
		"what one has too much is its own loss":     {"a1 a2 a3 a4 a5 a6", "a5 a6", "", "a1 a2 a3 a4"},
		"another takes from the one with the most":  {"a1 a2 a3 a4 b1", "", "a4", "a1 b1 a2 a3"},
		"it gets as much, and no more":              {"a1 a2 a3 a4 b1 b2 b3", "b3", "a4 a3", "a1 b1 a2 b2"},
		"with one for each, nobody makes room":      {"a1 b1 c1 d1 e1", "e1", "", "a1 b1 c1 d1"},
	} {
		t.Run(name, func(t *testing.T) {
			refused, dropped, left := inTurn(strings.Fields(tc.put)...)
			got := [3]string{strings.Join(refused, " "), strings.Join(dropped, " "), strings.Join(left, " ")}
			if diff := cmp.Diff([3]string{tc.refused, tc.dropped, tc.left}, got); diff != "" {
				t.Errorf("refused, dropped and left (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOneNamespaceDoesNotSilenceAnother: while one has thousands of pods warned about, one Deployment of another is told at once,
// and what made room for it is told at its next try.
func TestOneNamespaceDoesNotSilenceAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink eventList
		n, _ := runNotices(t, &sink)
		for i := range 3 * maxNotices {
			n.Take(podNotice(i, "", func(n *Notice) { n.About.Namespace = "team-b" }))
		}
		synctest.Wait()
		sink.take()
		n.Take(podNotice(1, "web-5d9", refused))
		time.Sleep(time.Second)
		synctest.Wait()
		told := sink.take()
		if !strings.Contains(strings.Join(told, "\n"), "Deployment team-a/web: ImageStorageRefused") {
			t.Errorf("within a second of a flood in team-b, told were %q", told)
		}
	})
}

// TestWhatMadeRoomIsSaidAgain: it counts as dropped, and not as said.
func TestWhatMadeRoomIsSaidAgain(t *testing.T) {
	var sink eventList
	n := NewNotices(NoticesOptions{Events: &sink})
	for i := range maxNotices {
		n.Take(podNotice(i, ""))
	}
	n.Take(podNotice(0, "", func(n *Notice) { n.About.Namespace = "team-b" }))
	wantNotices(t, n, false, map[string]float64{noticeDropped: 1})
	n.Take(podNotice(maxNotices-1, ""))
	wantNotices(t, n, false, map[string]float64{noticeDropped: 2})
	n.Take(podNotice(maxNotices-2, ""))
	wantNotices(t, n, false, map[string]float64{noticeDropped: 2, noticeRepeated: 1})
}

// TestNamespacesShareWhatIsRemembered: one that fills the map loses its own entries, oldest first.
func TestNamespacesShareWhatIsRemembered(t *testing.T) {
	r := newSharedRecent[string, int](4, func(key string) string { return key[:1] })
	for i, key := range []string{"b1", "a1", "a2", "a3", "a4", "a5", "c1", "a5", "d1"} {
		r.set(key, i)
	}
	var known []string
	for _, key := range []string{"a1", "a2", "a3", "a4", "a5", "b1", "c1", "d1"} {
		if value, found := r.get(key); found {
			known = append(known, fmt.Sprint(key, "=", value))
		}
	}
	if diff := cmp.Diff([]string{"a5=7", "b1=0", "c1=6", "d1=8"}, known); diff != "" || r.len() != 4 {
		t.Errorf("%d entries (-want +got):\n%s", r.len(), diff)
	}
	r.set("e1", 9) // All have as much: somebody goes, and leaves nothing behind.
	if r.len() != 4 || len(r.shares) != 4 {
		t.Errorf("%d entries of %d namespaces, want 4 of 4", r.len(), len(r.shares))
	}
}
