// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/test/simnode"
)

// TestTaintsGoWithHeadroom: a Headroom that ends in good order leaves no taint of its own behind, however young, and leaves
// another's alone.
func TestTaintsGoWithHeadroom(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Enforce")
	full, _ := unequalNodes(t, "ending")
	p := startHeadroom(t)
	namespace(t, "ending")
	awaitSteering(t, p)
	eventually(t, 40*time.Second, "it leads", func() bool { return p.Metric(t, "headroom_leader") == 1 })
	putTaint(t, "sim-1", placement.SoftTaint(time.Now()))
	for i := 0; !hasTaint(t, full); i++ {
		if i == 20 {
			t.Fatal("none of 20 bindings was sent back")
		}
		if err := bindAnew(t, "ending", full); err == nil {
			t.Log("a binding was let through")
		}
	}
	eventually(t, 10*time.Second, "it knows of the taints", func() bool { return p.Metric(t, "headroom_steering_tainted_nodes") == 2 })
	p.Stop()
	if hasTaint(t, full) || !hasTaint(t, "sim-1") {
		t.Errorf("after the end: its own %v, another's %v", taintsOf(t, full), taintsOf(t, "sim-1"))
	}
	lease, err := shared.client.CoordinationV1().Leases("headroom-system").Get(t.Context(), controller.LeaseName, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" {
		t.Errorf("the lease is held by %v, %v", lease.Spec.HolderIdentity, err)
	}
}

// bindAnew makes a pod that no scheduler looks at, asks for a node, and reports what the API server says.
func bindAnew(t *testing.T, namespace, node string) error {
	t.Helper()
	pod := poolPod("", namespace, "example.com/big:1")
	pod.GenerateName, pod.Spec.SchedulerName = "web-", "nobody"
	made, err := shared.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = shared.client.CoreV1().Pods(namespace).Bind(t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: made.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{})
	time.Sleep(200 * time.Millisecond) // the taint comes after the answer
	return err
}

// TestSteeringWithoutTheRight: an admin took away the right to patch nodes. That is said once, and bindings are let through.
func TestSteeringWithoutTheRight(t *testing.T) {
	quiet(t)
	setPolicy(t, "mode: Audit", "steer: On")
	full, _ := unequalNodes(t, "unable")
	without(t, "clusterrole/headroom", "4")
	p := startHeadroom(t)
	namespace(t, "unable")
	awaitSteering(t, p)
	const words = "the right to put soft taints is missing"
	logged(t, p.Log, words)
	if err := bindAnew(t, "unable", full); err != nil {
		t.Errorf("the binding is refused: %v", err)
	}
	if n := p.Metric(t, "headroom_steering_bindings_total", "outcome=not-ready"); n != 1 || hasTaint(t, full) {
		t.Errorf("%v bindings let through, want 1; taints %v", n, taintsOf(t, full))
	}
	if n := strings.Count(p.Log(), words); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
}

// TestNodesAreSafeFromHeadroom: whoever has Headroom's credentials can put its taint on a node, take it away, and do nothing
// else to nodes, although its right to patch them says nothing of fields. Nobody else is kept from anything.
func TestNodesAreSafeFromHeadroom(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", shared.serveKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	headroom, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	startNode(t, simnode.NodeSpec{Name: "sim-safe", Config: tenGi(), Labels: map[string]string{"example.com/kept": "yes"}})
	kubectl(t, "taint", "node", "sim-safe", "example.com/kept=1:PreferNoSchedule")
	kubectl(t, "annotate", "node", "sim-safe", "example.com/kept=yes")
	patch := func(client kubernetes.Interface, text string, subresources ...string) error {
		kind := types.JSONPatchType
		if strings.HasPrefix(text, "{") {
			kind = types.MergePatchType
		}
		_, err := client.CoreV1().Nodes().Patch(t.Context(), "sim-safe", kind, []byte(text), metav1.PatchOptions{}, subresources...)
		return err
	}
	const (
		ours = `{"key":"headroom.dev/image-storage","value":"1","effect":"PreferNoSchedule"}`
		kept = `{"key":"example.com/kept","value":"1","effect":"PreferNoSchedule"}`
		more = `{"key":"example.com/more","effect":"NoExecute"}`
		hard = `{"key":"headroom.dev/image-storage","value":"1","effect":"NoSchedule"}`
	)
	taints := func(all ...string) string { return `{"spec":{"taints":[` + strings.Join(all, ",") + `]}}` }
	for _, step := range []struct{ what, patch string }{
		{"its taint beside another", taints(kept, ours)},
		{"its taint with another value", taints(kept, strings.Replace(ours, `"1"`, `"2"`, 1))},
		{"its taint taken away", taints(kept)},
		{"nothing", taints(kept)},
	} {
		if err := patch(headroom, step.patch); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
	}
	const kind = "ValidatingAdmissionPolicy 'headroom-taints' with binding 'headroom-taints' denied request: "
	for what, c := range map[string]struct{ patch, says string }{
		"another taint":                   {taints(kept, ours, more), "of a node's taints, Headroom may change"},
		"another's taint taken away":      {taints(ours), "of a node's taints, Headroom may change"},
		"all taints taken away":           {`[{"op":"remove","path":"/spec/taints"}]`, "of a node's taints, Headroom may change"},
		"another's taint with its effect": {taints(strings.Replace(kept, "PreferNoSchedule", "NoExecute", 1)), "of a node's taints, Headroom may change"},
		"its key with a hard effect":      {taints(kept, hard), "of a node's taints, Headroom may change"},
		"cordoned":                        {`{"spec":{"unschedulable":true}}`, "of a node's spec, Headroom may change taints only"},
		"cordoned, and its own taint":     {`{"spec":{"unschedulable":true,"taints":[` + kept + `,` + ours + `]}}`, "of a node's spec, Headroom may change taints only"},
		"another provider":                {`{"spec":{"providerID":"x://y"}}`, "of a node's spec, Headroom may change taints only"},
		"a label":                         {`{"metadata":{"labels":{"example.com/more":"1"}}}`, "Headroom may not change a node's metadata"},
		"a label taken away":              {`{"metadata":{"labels":{"example.com/kept":null}}}`, "Headroom may not change a node's metadata"},
		"an annotation":                   {`{"metadata":{"annotations":{"example.com/kept":"no"}}}`, "Headroom may not change a node's metadata"},
		"a finalizer":                     {`{"metadata":{"finalizers":["example.com/x"]}}`, "Headroom may not change a node's metadata"},
		"an owner":                        {`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"x","uid":"1"}]}}`, "Headroom may not change a node's metadata"},
	} {
		if err := patch(headroom, c.patch); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), kind+c.says) {
			t.Errorf("%s: %v, want a refusal that says %q", what, err, kind+c.says)
		}
	}
	if err := patch(headroom, `{"status":{"nodeInfo":{"kubeletVersion":"x"}}}`, "status"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `cannot patch resource "nodes/status"`) {
		t.Errorf("status: %v, want a refusal for want of the right", err)
	}
	if err := patch(shared.client, `{"metadata":{"labels":{"example.com/more":"1"}},"spec":{"unschedulable":true,"taints":[`+more+`]}}`); err != nil {
		t.Errorf("an admin is kept from it, too: %v", err)
	}
	t.Cleanup(func() {
		_, _ = shared.client.CoreV1().Nodes().Patch(context.Background(), "sim-safe", types.MergePatchType, []byte(`{"spec":{"unschedulable":null,"taints":null}}`), metav1.PatchOptions{})
	})
}
