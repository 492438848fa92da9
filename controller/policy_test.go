// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headroom-dev/headroom/policy"
)

func configMap(uid, version, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: policy.Namespace, Name: policy.ConfigMapName, UID: types.UID(uid), ResourceVersion: version,
		},
		Data: map[string]string{policy.ConfigMapKey: text},
	}
}

const (
	header   = "apiVersion: headroom.dev/v1alpha1\nkind: Policy\n"
	enforce  = header + "mode: Enforce\n"
	audit    = header + "mode: Audit\n"
	negative = header + "unknownImage: {likely: 1Gi, high: -10Gi}\n"
	unknown  = header + "mode: Audit\nfromTheFuture: 1\n"
	broken   = "mode: [\n"
)

// TestPolicySourceFollowsTheConfigMap gives versions of the ConfigMap to the event handlers, in the order of the list.
func TestPolicySourceFollowsTheConfigMap(t *testing.T) {
	type inForce struct {
		Mode   policy.Mode
		Source PolicyOrigin
		Valid  bool
		Events string // their reasons, all so far, without "Policy"
	}
	type step struct {
		text string // "-" deletes, "+" ends the first list
		want inForce
	}
	for name, steps := range map[string][]step{
		"an empty text": {{"", inForce{policy.Warn, PolicyConfigMap, true, ""}}},
		"no ConfigMap":  {{"+", inForce{policy.Warn, PolicyDefaults, true, ""}}},
		"a valid one, and a change": {
			{enforce, inForce{policy.Enforce, PolicyConfigMap, true, ""}},
			{"+", inForce{policy.Enforce, PolicyConfigMap, true, ""}},
			{audit, inForce{policy.Audit, PolicyConfigMap, true, ""}},
		},
		"an invalid one keeps the last valid one": {
			{enforce, inForce{policy.Enforce, PolicyConfigMap, true, ""}},
			{negative, inForce{policy.Enforce, PolicyConfigMap, false, "Invalid"}},
			{broken, inForce{policy.Enforce, PolicyConfigMap, false, "Invalid, Invalid"}},
			{audit, inForce{policy.Audit, PolicyConfigMap, true, "Invalid, Invalid"}},
		},
		"an unknown field, most likely misspelt, is a mistake while there is a policy to keep": {
			{enforce, inForce{policy.Enforce, PolicyConfigMap, true, ""}},
			{unknown, inForce{policy.Enforce, PolicyConfigMap, false, "Invalid"}},
		},
		"an unknown field of a newer version does not keep a process from starting": {
			{unknown, inForce{policy.Audit, PolicyConfigMap, true, ""}},
			{"+", inForce{policy.Audit, PolicyConfigMap, true, ""}},
		},
		"started with an invalid one": {
			{broken, inForce{policy.Audit, PolicyFallback, false, "Invalid"}},
			{"+", inForce{policy.Audit, PolicyFallback, false, "Invalid"}},
			{negative, inForce{policy.Audit, PolicyFallback, false, "Invalid, Invalid"}},
			{enforce, inForce{policy.Enforce, PolicyConfigMap, true, "Invalid, Invalid"}},
		},
		"deleted": {
			{enforce, inForce{policy.Enforce, PolicyConfigMap, true, ""}},
			{"-", inForce{policy.Warn, PolicyDefaults, true, "Deleted"}},
			{enforce, inForce{policy.Enforce, PolicyConfigMap, true, "Deleted"}},
		},
		"an invalid one deleted, and another made": {
			{broken, inForce{policy.Audit, PolicyFallback, false, "Invalid"}},
			{"-", inForce{policy.Warn, PolicyDefaults, true, "Invalid, Deleted"}},
			{broken, inForce{policy.Warn, PolicyDefaults, false, "Invalid, Deleted, Invalid"}},
		},
		"the same text again says nothing": {
			{broken, inForce{policy.Audit, PolicyFallback, false, "Invalid"}},
			{broken, inForce{policy.Audit, PolicyFallback, false, "Invalid"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			s, err := NewPolicySource(fake.NewClientset(), PolicySourceOptions{Events: r})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.State(); got.Source != PolicyPending || s.Policy().Version != "pending" || s.Policy().Mode != policy.Audit || got.Valid {
				t.Errorf("before the first read: mode %s, state %+v", s.Policy().Mode, got)
			}
			for i, step := range steps {
				switch version := string(rune('1' + i)); step.text {
				case "+":
					s.afterFirstList()
				case "-":
					s.deleted(coreinformers.DeletedConfigMap{OptionalObj: s.last})
				default:
					s.set(configMap("uid", version, step.text))
				}
				var reasons []string
				for _, e := range r.events {
					reasons = append(reasons, strings.TrimPrefix(e.Reason, "Policy"))
				}
				got := inForce{s.Policy().Mode, s.State().Source, s.State().Valid, strings.Join(reasons, ", ")}
				if diff := cmp.Diff(step.want, got); diff != "" || got.Valid != (s.State().Problem == "") {
					t.Errorf("step %d, %+v (-want +got):\n%s", i, s.State(), diff)
				}
			}
		})
	}
}

func TestAnInvalidPolicyIsExplained(t *testing.T) {
	log, logged := logTo()
	r := &recorder{}
	s, err := NewPolicySource(fake.NewClientset(), PolicySourceOptions{Events: r, Now: func() time.Time { return t0 }})
	if err != nil {
		t.Fatal(err)
	}
	s.log = log
	s.set(configMap("uid", "1", enforce))
	s.set(configMap("uid", "2", negative))
	if len(r.events) != 1 {
		t.Fatalf("events: %v", r.events)
	}
	e := r.events[0]
	if !e.Warning || e.About.Name != policy.ConfigMapName || e.About.Namespace != policy.Namespace || e.About.UID != "uid" || !e.At.Equal(t0) {
		t.Errorf("event: %+v", e)
	}
	for _, want := range []string{"the last valid policy stays in force", "unknownImage.high", "-10Gi"} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("message %q does not say %q", e.Message, want)
		}
	}
	if !strings.Contains(logged.String(), "Policy is not valid") || s.State().Problem == "" || s.Loads() != (PolicyLoads{Valid: 1, Invalid: 1}) {
		t.Errorf("state %+v, loads %+v, log:\n%s", s.State(), s.Loads(), logged)
	}
}

func TestUnknownFieldsAreWarnedAboutAndLoad(t *testing.T) {
	log, logged := logTo()
	s, err := NewPolicySource(fake.NewClientset(), PolicySourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.log = log
	s.set(configMap("uid", "1", enforce+"fromTheFuture: 1\n"))
	if s.Policy().Mode != policy.Enforce || !s.State().Valid || strings.Count(logged.String(), "fromTheFuture") != 1 {
		t.Errorf("state %+v, log:\n%s", s.State(), logged)
	}
}

func TestExceptionsThatHaveExpiredAreLogged(t *testing.T) {
	log, logged := logTo()
	s, err := NewPolicySource(fake.NewClientset(), PolicySourceOptions{Now: func() time.Time { return t0 }})
	if err != nil {
		t.Fatal(err)
	}
	s.log = log
	s.set(configMap("uid", "1", enforce+"exceptions: [{name: gone, namespaces: [a], reason: x, until: 2025-12-31}]\n"))
	if !s.State().Valid || len(s.Policy().Exceptions) != 1 {
		t.Errorf("in force: %+v, %+v", s.State(), s.Policy().Exceptions)
	}
	if want := "exception gone ended with 2025-12-31 and does nothing any more"; !strings.Contains(logged.String(), want) {
		t.Errorf("log %q, want %q", logged.String(), want)
	}
}

func TestAConfigMapWithoutTheKeyIsNotValid(t *testing.T) {
	s, err := NewPolicySource(fake.NewClientset(), PolicySourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := configMap("uid", "1", "")
	c.Data = map[string]string{"policy.yml": enforce}
	s.set(c)
	if got := s.State(); got.Valid || !strings.Contains(got.Problem, `no key "policy.yaml"`) || s.Policy().Mode != policy.Audit {
		t.Errorf("mode %s, state %+v", s.Policy().Mode, got)
	}
}

func TestVersionsNameTheText(t *testing.T) {
	version := func(uid, text string) string {
		s, err := NewPolicySource(fake.NewClientset(), PolicySourceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.set(configMap(uid, uid, text))
		return s.State().Version
	}
	if a, b := version("1", enforce), version("2", enforce); a != b || len(a) != 12 {
		t.Errorf("versions %q and %q of one text", a, b)
	}
	if a, b := version("1", enforce), version("1", audit); a == b {
		t.Errorf("version %q of two texts", a)
	}
	if got := version("1", broken); got != "fallback" {
		t.Errorf("version %q of an invalid text", got)
	}
}

func TestPolicySourceReadsTheClusterFast(t *testing.T) {
	client := fake.NewClientset(configMap("uid", "1", enforce))
	s, err := NewPolicySource(client, PolicySourceOptions{SyncTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, s.Start)
	<-s.Synced()
	if s.Policy().Mode != policy.Enforce {
		t.Errorf("mode %s when synced", s.Policy().Mode)
	}
	configMaps := client.CoreV1().ConfigMaps(policy.Namespace)
	if _, err := configMaps.Update(t.Context(), configMap("uid", "2", audit), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return s.Policy().Mode == policy.Audit })
	if err := configMaps.Delete(t.Context(), policy.ConfigMapName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return s.State().Source == PolicyDefaults })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestPolicySourceSaysWhichPermissionIsMissing(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "", errors.New(
			`User "system:serviceaccount:headroom-system:headroom" cannot list resource "configmaps" in API group "" in the namespace "headroom-system"`))
	})
	s, err := NewPolicySource(client, PolicySourceOptions{SyncTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	log, _ := logTo()
	err = s.Start(logr.NewContext(context.WithoutCancel(t.Context()), log))
	const want = `cannot list configmaps in namespace "headroom-system": ServiceAccount headroom-system/headroom needs list on configmaps`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("start: %v, want %q", err, want)
	}
}
