// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestOwnersThatCannotBe: whoever makes a pod may name any owner. What can't be one is not asked for and not written to: the pod
// itself is told.
func TestOwnersThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*metav1.OwnerReference){
		"a name that is a path":    func(o *metav1.OwnerReference) { o.Name = "../../../../api/v1/namespaces/kube-system/secrets/x" },
		"a name in capitals":       func(o *metav1.OwnerReference) { o.Name = "WEB" },
		"a name of several lines":  func(o *metav1.OwnerReference) { o.Name = "web\nmsg=forged" },
		"a name that is too long":  func(o *metav1.OwnerReference) { o.Name = huge },
		"a UID that is too long":   func(o *metav1.OwnerReference) { o.UID = types.UID(huge) },
		"a kind that is too long":  func(o *metav1.OwnerReference) { o.Kind = huge },
		"a group that is too long": func(o *metav1.OwnerReference) { o.APIVersion = huge + "/v1" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sink eventList
				n, logged := runNotices(t, &sink)
				for i := range 3 {
					n.Take(podNotice(i, "web-5d9", func(n *Notice) { change(n.Controller) }))
				}
				n.Take(podNotice(4, "web-5d9", func(n *Notice) { change(n.Controller) }, refused))
				synctest.Wait()
				want := []string{
					"Pod team-a/web-0: ImageStorageWarning true", "Pod team-a/web-1: ImageStorageWarning true", "Pod team-a/web-2: ImageStorageWarning true",
				}
				if diff := cmp.Diff(want, sink.take()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				// The refused one has a line and no Event: it never comes to be.
				if text := logged.String(); strings.Count(text, "about image storage") != 3 || strings.Count(text, "over image storage") != 1 || len(text) > 4<<10 {
					t.Errorf("log of %d bytes: %.4096s", len(text), text)
				}
			})
		})
	}
}

// TestAReplicaSetWhoseOwnerCannotBe is told itself.
func TestAReplicaSetWhoseOwnerCannotBe(t *testing.T) {
	_, deployment := owned("apps/v1", "Deployment", "web", nil)
	deployment.UID = types.UID(huge)
	replicaSet, direct := owned("apps/v1", "ReplicaSet", "web-5d9", deployment)
	log, _ := logTo()
	n := aboutPod(direct)
	ref, _ := newOwners(metadataClient(t, replicaSet), wallClock, log).of(t.Context(), &n)
	if diff := cmp.Diff(reference("team-a", direct), ref); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestTheUIDOfAnothersOwner: a namespace that names another's ReplicaSet neither learns nor changes what becomes of the other's
// notices, whichever comes first, nor does a pod that gives the ReplicaSet's UID another name.
func TestTheUIDOfAnothersOwner(t *testing.T) {
	const ours = "Deployment team-a/web: ImageStorageWarning true"
	for name, tc := range map[string]struct {
		forge func(*Notice)
		want  string
	}{
		"in another namespace": {func(n *Notice) { n.About.Namespace = "team-b" }, "ReplicaSet team-b/web-5d9: ImageStorageWarning true"},
		"beside another name, about another image": {
			func(n *Notice) { n.Controller.Name, n.Images = "lost", "other" }, "ReplicaSet team-a/lost: ImageStorageWarning true",
		},
	} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, coming first: %v", name, first), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var sink eventList
					n, _ := runNotices(t, &sink)
					notices, want := []Notice{podNotice(1, "web-5d9", tc.forge), podNotice(2, "web-5d9")}, []string{tc.want, ours}
					if !first {
						notices[0], notices[1], want[0], want[1] = notices[1], notices[0], want[1], want[0]
					}
					for _, notice := range notices {
						n.Take(notice)
						synctest.Wait()
					}
					if diff := cmp.Diff(want, sink.take()); diff != "" {
						t.Errorf("told (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

// TestNoticesThatCannotBe are counted as dropped.
func TestNoticesThatCannotBe(t *testing.T) {
	n := NewNotices(NoticesOptions{Events: &eventList{}})
	for _, change := range []func(*corev1.ObjectReference){
		func(ref *corev1.ObjectReference) { ref.Name = huge },
		func(ref *corev1.ObjectReference) { ref.Namespace = huge },
		func(ref *corev1.ObjectReference) { ref.UID = types.UID(huge) },
		func(ref *corev1.ObjectReference) { ref.Kind = huge },
		func(ref *corev1.ObjectReference) { ref.APIVersion = huge },
	} {
		n.Take(podNotice(1, "", func(n *Notice) { change(&n.About) }))
	}
	wantNotices(t, n, false, map[string]float64{noticeDropped: 5})
	if n.queue.len() != 0 || n.heard.len() != 0 {
		t.Error("something of them is kept")
	}
}

// TestEventsOfObjectsWithoutAName have a name that the API server takes.
func TestEventsOfObjectsWithoutAName(t *testing.T) {
	e := nodeEvent("1")
	e.About.Name = ""
	if name := eventObject(e).Name; name == "" || strings.HasPrefix(name, ".") {
		t.Errorf("the Event's name is %q", name)
	}
}
