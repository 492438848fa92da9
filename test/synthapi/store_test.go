// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestOtherObjectsAreKept goes through what clients do with a Lease.
func TestOtherObjectsAreKept(t *testing.T) {
	s := start(t, smallFleet())
	leases := clientOf(t, s, true).CoordinationV1().Leases("headroom-system")
	ctx := t.Context()
	if _, err := leases.Get(ctx, "one", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a lease that nobody made: %v, want that it is not found", err)
	}
	watching, err := leases.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Stop()
	made, err := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "one"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if made.UID == "" || made.ResourceVersion == "" || made.CreationTimestamp.IsZero() || made.Namespace != "headroom-system" {
		t.Errorf("it is made as %+v", made.ObjectMeta)
	}
	if _, err := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "one"}}, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("the same lease again: %v, want that it exists", err)
	}
	changed := made.DeepCopy()
	changed.Spec.HolderIdentity = new("me")
	if changed, err = leases.Update(ctx, changed, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := leases.Update(ctx, made, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an update of the old lease: %v, want a conflict", err)
	}
	if err := leases.Delete(ctx, "one", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &made.ResourceVersion}}); !apierrors.IsConflict(err) {
		t.Errorf("the deletion of the old lease: %v, want a conflict", err)
	}
	list, err := leases.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=one"})
	if err != nil || len(list.Items) != 1 || *list.Items[0].Spec.HolderIdentity != "me" {
		t.Errorf("the list is %v, %v, want the lease with its holder", list, err)
	}
	if err := leases.Delete(ctx, "one", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &changed.ResourceVersion}}); err != nil {
		t.Error(err)
	}
	var seen []string
	for range 3 {
		seen = append(seen, string((<-watching.ResultChan()).Type))
	}
	if diff := cmp.Diff([]string{"ADDED", "MODIFIED", "DELETED"}, seen); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestWhatIsOnlyAnswered(t *testing.T) {
	s := start(t, smallFleet())
	client := clientOf(t, s, true)
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{}, metav1.CreateOptions{})
	if err != nil || !review.Status.Allowed {
		t.Errorf("access: %v, %v, want it allowed", review, err)
	}
	token, err := client.CoreV1().ServiceAccounts("headroom-system").CreateToken(t.Context(), "any", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil || len(token.Status.Token) < 800 || token.Status.ExpirationTimestamp.IsZero() {
		t.Errorf("a token: %v, %v", token, err)
	}
	lists, err := client.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, list := range lists {
		count += len(list.APIResources)
	}
	if count != len(served) {
		t.Errorf("discovery tells of %d resources, want %d", count, len(served))
	}
	if version, err := client.Discovery().ServerVersion(); err != nil || version.Minor != "37" {
		t.Errorf("the version is %v, %v", version, err)
	}
	if _, err := client.NetworkingV1().Ingresses("").List(t.Context(), metav1.ListOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what is not served: %v, want that it is not found", err)
	}
}

func TestSelectorsAndNames(t *testing.T) {
	s := start(t, smallFleet())
	client := clientOf(t, s, true)
	all := listed(t, client).Pods
	want := map[string]map[string]bool{"spec.nodeName=node-000003": {}, "namespace": {}, "label": {}}
	var sample *corev1.Pod
	for key, pod := range all {
		if sample == nil || key < keyOf(sample.Namespace, sample.Name) {
			sample = pod
		}
	}
	const label = "app.kubernetes.io/name"
	for key, pod := range all {
		if pod.Spec.NodeName == "node-000003" {
			want["spec.nodeName=node-000003"][key] = true
		}
		if pod.Namespace == sample.Namespace {
			want["namespace"][key] = true
		}
		if pod.Labels[label] == sample.Labels[label] {
			want["label"][key] = true
		}
	}
	for what, list := range map[string]struct {
		namespace string
		options   metav1.ListOptions
	}{
		"spec.nodeName=node-000003": {"", metav1.ListOptions{FieldSelector: "spec.nodeName=node-000003"}},
		"namespace":                 {sample.Namespace, metav1.ListOptions{}},
		"label":                     {"", metav1.ListOptions{LabelSelector: label + "=" + sample.Labels[label]}},
	} {
		got := map[string]bool{}
		pods, err := client.CoreV1().Pods(list.namespace).List(t.Context(), list.options)
		if err != nil {
			t.Fatal(err)
		}
		for i := range pods.Items {
			got[keyOf(pods.Items[i].Namespace, pods.Items[i].Name)] = true
		}
		if diff := cmp.Diff(want[what], got); diff != "" || len(got) == 0 {
			t.Errorf("pods by %s (-want +got):\n%s", what, diff)
		}
	}
	one, err := client.CoreV1().Pods(sample.Namespace).Get(t.Context(), sample.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, one); diff != "" {
		t.Errorf("one pod (-list +get):\n%s", diff)
	}
}
