// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/ledger"
)

func TestCheckReadsTheAutoscalersStatus(t *testing.T) {
	told := fake.NewClientset(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: controller.AutoscalerNamespace, Name: controller.AutoscalerConfigMap},
		Data:       map[string]string{"status": "autoscalerStatus: Running\nnodeGroups: [{name: gpu, health: {maxSize: 3}}]\n"},
	})
	forbidden := fake.NewClientset()
	forbidden.PrependReactor("get", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, controller.AutoscalerConfigMap, errors.New(
			`User "jane" cannot get resource "configmaps" in API group "" in the namespace "kube-system"`))
	})
	for what, c := range map[string]struct {
		client *fake.Clientset
		want   ledger.Autoscaler
		notes  string
	}{
		"one that tells of itself": {told, ledger.Autoscaler{Present: true, Groups: []ledger.NodeGroup{{Name: "gpu", MaxNodes: 3}}}, ""},
		"none":                     {fake.NewClientset(), ledger.Autoscaler{}, ""},
		"one that may not be read": {
			forbidden,
			ledger.Autoscaler{Present: true},
			"note: whether there is a cluster-autoscaler can't be read, as if there were one: " +
				"cannot get configmaps in namespace \"kube-system\": user \"jane\" needs get on configmaps\n",
		},
	} {
		t.Run(what, func(t *testing.T) {
			var notes strings.Builder
			got := readAutoscaler(t.Context(), c.client, &notes)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if notes.String() != c.notes {
				t.Errorf("notes %q, want %q", notes.String(), c.notes)
			}
		})
	}
}
