// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
)

// owned is the metadata of an object in the namespace team-a, and the reference that what it owns has. Its UID is "uid-" and its name.
func owned(apiVersion, kind, name string, by *metav1.OwnerReference) (*metav1.PartialObjectMetadata, *metav1.OwnerReference) {
	object := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: apiVersion, Kind: kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name, UID: types.UID("uid-" + name)},
	}
	if by != nil {
		object.OwnerReferences = []metav1.OwnerReference{*by}
	}
	return object, &metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: object.UID, Controller: new(true)}
}

func metadataClient(t *testing.T, objects ...runtime.Object) *metadatafake.FakeMetadataClient {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return metadatafake.NewSimpleMetadataClient(scheme, objects...)
}

func aboutPod(controller *metav1.OwnerReference) Notice {
	return Notice{
		About:      corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "team-a", Name: "web-1", UID: "uid-web-1"},
		Controller: controller, Refused: true,
	}
}

func aboutTemplate(apiVersion, kind string, controller *metav1.OwnerReference) Notice {
	return Notice{
		About:      corev1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: "team-a", Name: "web", UID: "uid-web"},
		Controller: controller,
	}
}

func TestWhoIsTold(t *testing.T) {
	_, deployment := owned("apps/v1", "Deployment", "web", nil)
	_, rollout := owned("argoproj.io/v1alpha1", "Rollout", "web", nil)
	_, cronJob := owned("batch/v1", "CronJob", "nightly", nil)
	_, statefulSet := owned("apps/v1", "StatefulSet", "db", nil)
	_, workflow := owned("argoproj.io/v1alpha1", "Workflow", "flow", nil)
	replicaSet, ofDeployment := owned("apps/v1", "ReplicaSet", "web-5d9", deployment)
	rolloutSet, ofRollout := owned("apps/v1", "ReplicaSet", "web-77c", rollout)
	bareSet, ofBareSet := owned("apps/v1", "ReplicaSet", "bare", nil)
	job, ofCronJob := owned("batch/v1", "Job", "nightly-1", cronJob)
	bareJob, ofBareJob := owned("batch/v1", "Job", "once", nil)
	_, lostSet := owned("apps/v1", "ReplicaSet", "lost", nil)
	replacedSet := *ofDeployment
	replacedSet.UID = "uid-of-an-earlier-one"
	otherGroup := *ofDeployment
	otherGroup.APIVersion = "example.com/v1"

	with := func(n Notice, change func(*Notice)) Notice { change(&n); return n }
	warned := func(n *Notice) { n.Refused = false }
	exists := func(n *Notice) { n.Exists = true }
	for name, tc := range map[string]struct {
		notice Notice
		want   string // kind, name and UID; "" for nobody
		asked  int
	}{
		"a Deployment's pod":                        {aboutPod(ofDeployment), "Deployment web uid-web", 1},
		"an Argo Rollout's pod":                     {aboutPod(ofRollout), "Rollout web uid-web", 1},
		"a CronJob's pod":                           {aboutPod(ofCronJob), "CronJob nightly uid-nightly", 1},
		"the pod of a ReplicaSet that nobody made":  {aboutPod(ofBareSet), "ReplicaSet bare uid-bare", 1},
		"the pod of a Job that nobody made":         {aboutPod(ofBareJob), "Job once uid-once", 1},
		"a StatefulSet's pod":                       {aboutPod(statefulSet), "StatefulSet db uid-db", 0},
		"an Argo Workflow's pod":                    {aboutPod(workflow), "Workflow flow uid-flow", 0},
		"the pod of a ReplicaSet that is gone":      {aboutPod(lostSet), "ReplicaSet lost uid-lost", 1},
		"the pod of a ReplicaSet that was replaced": {aboutPod(&replacedSet), "ReplicaSet web-5d9 uid-of-an-earlier-one", 1},
		"a ReplicaSet of another group":             {aboutPod(&otherGroup), "ReplicaSet web-5d9 uid-web-5d9", 0},
		"a bare pod that was admitted":              {with(aboutPod(nil), warned), "Pod web-1 uid-web-1", 0},
		"a bare pod that was refused":               {aboutPod(nil), "", 0},
		"a change of a bare pod that was refused":   {with(aboutPod(nil), exists), "Pod web-1 uid-web-1", 0},
		"a Deployment's pod that is changed":        {with(aboutPod(ofDeployment), exists), "Deployment web uid-web", 1},
		"a Deployment's pod that is debugged":       {with(aboutPod(ofDeployment), func(n *Notice) { n.Exists, n.Debugged = true, true }), "Pod web-1 uid-web-1", 0},
		"a Deployment":                              {aboutTemplate("apps/v1", "Deployment", nil), "Deployment web uid-web", 0},
		"a Deployment that an operator made":        {aboutTemplate("apps/v1", "Deployment", workflow), "Deployment web uid-web", 0},
		"a Deployment's ReplicaSet":                 {aboutTemplate("apps/v1", "ReplicaSet", deployment), "Deployment web uid-web", 0},
		"a CronJob's Job":                           {aboutTemplate("batch/v1", "Job", cronJob), "CronJob nightly uid-nightly", 0},
		"a custom resource":                         {aboutTemplate("argoproj.io/v1alpha1", "Rollout", nil), "Rollout web uid-web", 0},
	} {
		t.Run(name, func(t *testing.T) {
			client := metadataClient(t, replicaSet, rolloutSet, bareSet, job, bareJob)
			log, _ := logTo()
			o := newOwners(client, wallClock, log)
			for range 2 {
				ref, found := o.of(t.Context(), &tc.notice)
				got := ""
				if found {
					got = strings.Join([]string{ref.Kind, ref.Name, string(ref.UID)}, " ")
				}
				if got != tc.want || ref.Namespace != "team-a" {
					t.Errorf("told %q in namespace %q, want %q in team-a", got, ref.Namespace, tc.want)
				}
			}
			if got := len(client.Actions()); got != tc.asked {
				t.Errorf("the API server was asked %d times, want %d: answers are remembered, bad ones too", got, tc.asked)
			}
		})
	}
}

// TestOwnersThatMayNotBeRead: the direct owner is told instead, and the log says once what is missing.
func TestOwnersThatMayNotBeRead(t *testing.T) {
	client := metadataClient(t)
	failure := error(apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "replicasets"}, "web-5d9", errors.New(
		`User "system:serviceaccount:headroom-system:headroom" cannot get resource "replicasets" in API group "apps" in the namespace "team-a"`)))
	client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, failure })
	log, logged := logTo()
	now := t0
	o := newOwners(client, func() time.Time { return now }, log)
	var told []string
	for _, name := range []string{"web-5d9", "web-77c", "web-5d9"} {
		_, set := owned("apps/v1", "ReplicaSet", name, nil)
		n := aboutPod(set)
		ref, found := o.of(t.Context(), &n)
		if !found {
			t.Error("nobody is told")
		}
		told = append(told, ref.Kind+" "+ref.Name)
	}
	if diff := cmp.Diff([]string{"ReplicaSet web-5d9", "ReplicaSet web-77c", "ReplicaSet web-5d9"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	const sentence = `cannot get replicasets.apps in namespace \"team-a\": ServiceAccount headroom-system/headroom needs get on replicasets.apps`
	if strings.Count(logged.String(), sentence) != 1 || len(client.Actions()) != 2 {
		t.Errorf("asked %d times, want 2; log:\n%s", len(client.Actions()), logged)
	}
	now = now.Add(ownerRetry)
	_, set := owned("apps/v1", "ReplicaSet", "web-5d9", nil)
	n := aboutPod(set)
	if o.of(t.Context(), &n); len(client.Actions()) != 3 {
		t.Error("what could not be found out is never asked again")
	}
}
