// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/verdict"
)

const saidSentence = "image storage: needs 7Gi on a node; none of 2 eligible nodes has that much before pods are evicted (most: 6.5Gi)"

// eventList keeps Events instead of writing them.
type eventList struct {
	mu     sync.Mutex // guards events
	events []Event
}

func (l *eventList) Record(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// take returns what came since the last call, a line for each.
func (l *eventList) take() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		lines = append(lines, fmt.Sprintf("%s %s/%s: %s %v", e.About.Kind, e.About.Namespace, e.About.Name, e.Reason, e.Warning))
	}
	l.events = nil
	return lines
}

// runNotices starts one whose Deployment web has a ReplicaSet web-5d9 and a next one web-77c.
func runNotices(t *testing.T, sink EventSink) (*Notices, *lockedBuffer) {
	t.Helper()
	_, deployment := owned("apps/v1", "Deployment", "web", nil)
	first, _ := owned("apps/v1", "ReplicaSet", "web-5d9", deployment)
	second, _ := owned("apps/v1", "ReplicaSet", "web-77c", deployment)
	log, logged := logTo()
	n := NewNotices(NoticesOptions{Metadata: metadataClient(t, first, second), Events: sink, Log: log})
	start(t, n.Start)
	return n, logged
}

// podNotice is about a pod of a ReplicaSet of that name, or about a bare one.
func podNotice(i int, replicaSet string, change ...func(*Notice)) Notice {
	n := Notice{
		About: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: "team-a", Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprintf("uid-%d", i)),
		},
		Verdict: verdict.EvictsPods, Images: "a", Message: saidSentence,
	}
	if replicaSet != "" {
		_, n.Controller = owned("apps/v1", "ReplicaSet", replicaSet, nil)
	}
	for _, f := range change {
		f(&n)
	}
	return n
}

func refused(n *Notice) { n.Refused = true }

func wantNotices(t *testing.T, n *Notices, refused bool, want map[string]float64) {
	t.Helper()
	got := map[string]float64{}
	for _, outcome := range []string{noticeRecorded, noticeLogged, noticeRepeated, noticeDropped} {
		if count := testutil.ToFloat64(n.options.Metrics.notices.WithLabelValues(noticeAction(refused), outcome)); count > 0 {
			got[outcome] = count
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notices_total, refused %v (-want +got):\n%s", refused, diff)
	}
}

func TestWhatIsSaidOnce(t *testing.T) {
	_, statefulSet := owned("apps/v1", "StatefulSet", "db", nil)
	warning, refusal := "Deployment team-a/web: ImageStorageWarning true", "Deployment team-a/web: ImageStorageRefused true"
	for name, tc := range map[string]struct {
		notices []Notice
		want    []string
	}{
		"a warning and a refusal are two things": {
			[]Notice{podNotice(1, "web-5d9"), podNotice(2, "web-5d9", refused), podNotice(3, "web-5d9")},
			[]string{warning, refusal},
		},
		"two ReplicaSets of a Deployment with the same images": {
			[]Notice{podNotice(1, "web-5d9"), podNotice(2, "web-77c")}, []string{warning},
		},
		"a rollout to another image": {
			[]Notice{podNotice(1, "web-5d9"), podNotice(2, "web-77c", func(n *Notice) { n.Images = "b" })}, []string{warning, warning},
		},
		"a worse verdict": {
			[]Notice{podNotice(1, "web-5d9"), podNotice(2, "web-5d9", func(n *Notice) { n.Verdict = verdict.FillsDisk })}, []string{warning, warning},
		},
		"the Deployment's own warning and those of its pods": {
			[]Notice{{
				About:   corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "team-a", Name: "web", UID: "uid-web"},
				Verdict: verdict.EvictsPods, Images: "a", Message: saidSentence,
			}, podNotice(1, "web-5d9")},
			[]string{warning},
		},
		"figures that differ": {
			[]Notice{podNotice(1, "web-5d9"), podNotice(2, "web-5d9", func(n *Notice) { n.Message = "image storage: other figures" })}, []string{warning},
		},
		"two Deployments of one operator": {
			[]Notice{
				{About: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "team-a", Name: "x", UID: "x"}, Controller: statefulSet},
				{About: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "team-a", Name: "y", UID: "y"}, Controller: statefulSet},
			},
			[]string{"Deployment team-a/x: ImageStorageWarning true", "Deployment team-a/y: ImageStorageWarning true"},
		},
		"bare pods": {
			[]Notice{podNotice(1, ""), podNotice(2, ""), podNotice(3, "", refused)},
			[]string{"Pod team-a/web-1: ImageStorageWarning true", "Pod team-a/web-2: ImageStorageWarning true"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sink eventList
				n, logged := runNotices(t, &sink)
				for _, notice := range tc.notices {
					n.Take(notice)
				}
				synctest.Wait()
				got := sink.take()
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("Events (-want +got):\n%s", diff)
				}
				// A refused pod that nobody made has a line and no Event.
				lines := len(got)
				if slices.ContainsFunc(tc.notices, func(n Notice) bool { return n.Refused && n.Controller == nil }) {
					lines++
				}
				if said := strings.Count(logged.String(), "over image storage") + strings.Count(logged.String(), "about image storage"); said != lines {
					t.Errorf("%d lines in the log, want %d:\n%s", said, lines, logged)
				}
			})
		})
	}
}

// TestFortyPodsOfSeveralReplicas: forty pods of a Deployment, judged by three replicas of Headroom, make one object in the API.
func TestFortyPodsOfSeveralReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := map[string]bool{}
		for range 3 {
			var sink eventList
			n, _ := runNotices(t, &sink)
			for i := range 40 {
				n.Take(podNotice(i, "web-5d9", refused))
			}
			synctest.Wait()
			if len(sink.events) != 1 {
				t.Fatalf("%d Events of one replica, want 1", len(sink.events))
			}
			object := eventObject(sink.events[0])
			names[object.Name] = true
			object.Name = ""
			want := &corev1.Event{
				ObjectMeta:     metav1.ObjectMeta{Namespace: "team-a"},
				InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "team-a", Name: "web", UID: "uid-web"},
				Reason:         "ImageStorageRefused", Message: saidSentence, Type: corev1.EventTypeWarning, Count: 1,
				Source: corev1.EventSource{Component: "headroom"}, ReportingController: "headroom.dev/headroom",
				FirstTimestamp: metav1.NewTime(time.Now()), LastTimestamp: metav1.NewTime(time.Now()),
			}
			if diff := cmp.Diff(want, object); diff != "" {
				t.Errorf("Event (-want +got):\n%s", diff)
			}
			wantNotices(t, n, true, map[string]float64{noticeRecorded: 1, noticeRepeated: 39})
			time.Sleep(time.Second) // Replicas judge at different moments.
		}
		if len(names) != 1 {
			t.Errorf("the Event has the names %v, want one", names)
		}
	})
}

// TestRetriesForADay: a ReplicaSet tries again for as long as its pods are refused. API servers keep an Event for an hour;
// after that there has to be another one soon.
func TestRetriesForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = time.Hour
		var sink eventList
		n, _ := runNotices(t, &sink)
		var attempts, written int
		var ends, longestGap time.Duration // until when the present Event is there, since the start
		for at := time.Duration(0); at < 24*time.Hour; at += 10 * time.Second {
			n.Take(podNotice(int(at), "web-5d9", refused))
			synctest.Wait()
			for range sink.take() {
				attempts++
				if at >= ends {
					longestGap = max(longestGap, at-ends)
					ends = at + ttl
					written++
				}
			}
			time.Sleep(10 * time.Second)
		}
		if attempts > 96 || written < 18 || longestGap > noticeInterval {
			t.Errorf("of 8640 refusals in a day %d were sent and %d made an Event; %v was the longest time without one", attempts, written, longestGap)
		}
		t.Logf("of 8640 refusals in a day %d were sent and %d made an Event; %v was the longest time without one", attempts, written, longestGap)
	})
}

func TestAFloodIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sink eventList
		n, _ := runNotices(t, &sink)
		const pods = 3 * maxNotices
		for i := range pods {
			n.Take(podNotice(i, ""))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := len(sink.take()); got > noticeBurst+noticesPerSecond {
			t.Errorf("%d Events in a second, want %d at most", got, noticeBurst+noticesPerSecond)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		dropped := testutil.ToFloat64(n.options.Metrics.notices.WithLabelValues("Warn", noticeDropped))
		recorded := testutil.ToFloat64(n.options.Metrics.notices.WithLabelValues("Warn", noticeRecorded))
		if dropped == 0 || recorded < maxNotices || dropped+recorded != pods {
			t.Errorf("%v recorded and %v dropped of %d", recorded, dropped, pods)
		}
		sink.take()
		n.Take(podNotice(pods-1, ""))
		synctest.Wait()
		if got := sink.take(); len(got) != 1 {
			t.Errorf("what was dropped is not said at the next try: %v", got)
		}
	})
}
