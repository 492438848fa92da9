// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload_test

import (
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/workload"
)

// FuzzDecode reads anything as any kind: no panic, and what is read is sound.
func FuzzDecode(f *testing.F) {
	for _, kind := range []string{"apps/v1 Deployment", "apps/v1 StatefulSet", "apps/v1 DaemonSet", "apps/v1 ReplicaSet", "v1 ReplicationController", "v1 PodTemplate", "batch/v1 Job", "batch/v1 CronJob", "x/v1 Rollout"} {
		f.Add(kind, "spec.template", "spec.replicas", []byte(`{"metadata":{"name":"n"},"spec":{"replicas":3,"template":{"spec":{"containers":[{"image":"a"}],"volumes":[{"image":{}}]}}}}`))
	}
	f.Add("x/v1 Rollout", "", "", []byte(`{"spec":{"":null}}`))
	f.Add("x/v1 Rollout", "spec.template", "spec.replicas", []byte(`{"spec":{"replicas":1e99,"template":[]}}`))
	f.Fuzz(func(t *testing.T, kind, template, replicas string, object []byte) {
		apiVersion, name, _ := strings.Cut(kind, " ")
		w, err := workload.Decode(kindOf(apiVersion, name), object, &workload.Paths{
			Template: strings.Split(template, "."), Replicas: strings.Split(replicas, "."),
		})
		if err != nil {
			if w != nil || err.Error() == "" {
				t.Errorf("%+v with error %q", w, err)
			}
			return
		}
		if w.Replicas < 0 || w.EveryNode && w.Replicas != 0 || w.Kind != name {
			t.Errorf("workload %+v", w)
		}
		if w.Changed(w) {
			t.Error("it differs from itself")
		}
		if r := w.Request(); r.Workload == nil || r.Placement == nil || r.UID != "" || r.Namespace != w.Meta.Namespace {
			t.Errorf("request %+v", r)
		}
	})
}
