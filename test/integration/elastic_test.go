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
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/simnode"
	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// oneGroup is the status of a cluster-autoscaler with one group, whose nodes are there.
const oneGroup = `autoscalerStatus: Running
nodeGroups:
- {name: asg-web, health: {status: Healthy, nodeCounts: {registered: {total: 2, ready: 2}}, cloudProviderTarget: 2, minSize: 1, maxSize: 5}}
`

// emptyGroup is one more, which has no node and may get some.
const emptyGroup = "- {name: asg-gpu, health: {status: Healthy, nodeCounts: {registered: {total: 0}}, cloudProviderTarget: 0, minSize: 0, maxSize: 3}}\n"

// denied is how kubectl begins to say that a pod is refused.
const denied = "Error from server (Forbidden): error when creating \"STDIN\": admission webhook \"pods.headroom.dev\" denied the request: "

// setAutoscalerStatus writes what a cluster-autoscaler tells of itself, or that there is none, until the test ends.
func setAutoscalerStatus(t *testing.T, status string) {
	t.Helper()
	configMaps := shared.client.CoreV1().ConfigMaps("kube-system")
	c := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "cluster-autoscaler-status"}, Data: map[string]string{"status": status}}
	if err := configMaps.Delete(t.Context(), c.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	if status == "" {
		return
	}
	t.Cleanup(func() { _ = configMaps.Delete(context.Background(), c.Name, metav1.DeleteOptions{}) })
	if _, err := configMaps.Create(t.Context(), c, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestAutoscalerStatus: a pod that only a new node could take is refused in a
// cluster of fixed size, and never hidden from an autoscaler.
func TestAutoscalerStatus(t *testing.T) {
	quiet(t)
	setPolicyText(t, strings.Replace(policyText("mode: Enforce"), "elastic: false", "elastic: Auto", 1))
	p := startHeadroom(t)
	awaitMode(t, p, "Enforce")
	namespace(t, "elastic")
	awaitWebhook(t, p)
	const (
		big  = "image storage: needs 7Gi on a node; none of 2 eligible nodes "
		huge = "image storage: needs 20Gi on a node; none of 2 eligible nodes "
	)
	says := func(about, image, want string) {
		t.Helper()
		var said string
		eventually(t, 10*time.Second, about+": "+want, func() bool {
			stderr, _ := dryRun(t, "elastic", podOf("app", image))
			said = strings.TrimSpace(stderr)
			return said == want
		})
		t.Logf("%s: %s", about, said)
	}

	says("nothing points to an autoscaler", "example.com/big:1", denied+big+"can hold that before pods are evicted (at best 6.5Gi)")

	setAutoscalerStatus(t, oneGroup)
	says("an autoscaler tells of itself", "example.com/big:1", "Warning: "+big+"has that much before pods are evicted (most: 6.5Gi); a new node of pool all could take it")
	says("an empty node could not hold it", "example.com/huge:1", denied+huge+"can hold that even on an empty disk (at best 8.5Gi), nor can a new one")
	check := headroom(t, asJSON(t, podOf("app", "example.com/big:1")), "check", "-n", "elastic", "-f", "-", "--registry=off")
	if !strings.Contains(check.stdout, "; a new node of pool all could take it") || check.code != 1 {
		t.Errorf("check ends with %d and says\n%s%s", check.code, check.stdout, check.stderr)
	}

	setAutoscalerStatus(t, oneGroup+emptyGroup)
	says("nobody has seen a node of one group", "example.com/huge:1", "Warning: "+huge+"has that much even on an empty disk (most: 8.5Gi); whether a new node could take it is not known")

	setAutoscalerStatus(t, "")
	says("the autoscaler is gone", "example.com/big:1", denied+big+"can hold that before pods are evicted (at best 6.5Gi)")
}

// TestElasticPools: by the labels of Karpenter or a managed pool, or because the policy says so, a pool refuses only what an
// empty node with the largest disk of the pool could not hold, whoever may use the one that has it.
func TestElasticPools(t *testing.T) {
	quiet(t)
	large := tenGi()
	large.DiskBytes = 40 << 30
	spec := func(name string, config disk.Config, labels ...string) simnode.NodeSpec {
		n := simnode.NodeSpec{Name: name, Config: config, Labels: map[string]string{}}
		for _, label := range labels {
			key, value, _ := strings.Cut(label, "=")
			n.Labels[key] = value
		}
		return n
	}
	const (
		big  = "image storage: needs 7Gi; the only eligible node has "
		huge = "image storage: needs 20Gi; the only eligible node has "
		// No node has a GPU, and nobody knows the disk of one that has.
		gpu = "Warning: image storage: needs 20Gi; the only eligible node (unschedulable now) has 8.5Gi even on an empty disk; whether a new node could take it is not known"
	)
	tests := map[string]struct {
		nodes          []simnode.NodeSpec
		pool           string // what the policy says of the pool, besides its name and nodes
		status         string // of a cluster-autoscaler, empty for none
		big, huge, gpu string
	}{
		"Karpenter's": {
			nodes: []simnode.NodeSpec{spec("elastic-1", tenGi(), poolLabel+"=elastic", "karpenter.sh/nodepool=default")}, pool: "elastic: Auto",
			big:  "Warning: " + big + "6.5Gi before pods are evicted; a new node of pool tested could take it",
			huge: denied + huge + "room for 8.5Gi even on an empty disk, nor can a new one",
			gpu:  gpu,
		},
		"a managed one": {
			nodes: []simnode.NodeSpec{spec("elastic-1", tenGi(), poolLabel+"=elastic", "cloud.google.com/gke-nodepool=web")}, pool: "elastic: Auto",
			big:  "Warning: " + big + "6.5Gi before pods are evicted; a new node of pool tested could take it",
			huge: denied + huge + "room for 8.5Gi even on an empty disk, nor can a new one",
			gpu:  gpu,
		},
		"a declared one": {
			nodes: []simnode.NodeSpec{spec("elastic-1", tenGi(), poolLabel+"=elastic")}, pool: "elastic: true",
			big:  "Warning: " + big + "6.5Gi before pods are evicted; a new node of pool tested could take it",
			huge: denied + huge + "room for 8.5Gi even on an empty disk, nor can a new one",
			gpu:  gpu,
		},
		"one with a larger disk, on a node for others": {
			nodes: []simnode.NodeSpec{spec("elastic-1", tenGi(), poolLabel+"=elastic"), spec("elastic-2", large, poolLabel+"=elastic", "for=others")}, pool: "elastic: true",
			big:  "Warning: " + big + "6.5Gi before pods are evicted; a new node of pool tested could take it",
			huge: "Warning: " + huge + "8.5Gi even on an empty disk; a new node of pool tested could take it",
			gpu:  gpu,
		},
		"a declared fixed one of an elastic cluster": {
			nodes: []simnode.NodeSpec{spec("elastic-1", tenGi(), poolLabel+"=elastic"), spec("elastic-2", tenGi(), "karpenter.sh/nodepool=default")}, pool: "elastic: false",
			big:  denied + big + "room for 6.5Gi before pods are evicted",
			huge: denied + huge + "room for 8.5Gi even on an empty disk",
			gpu:  denied + huge + "room for 8.5Gi even on an empty disk",
		},
		"a declared fixed one beside a group without nodes": {
			nodes: []simnode.NodeSpec{spec("elastic-1", tenGi(), poolLabel+"=elastic")}, pool: "elastic: false", status: oneGroup + emptyGroup,
			big:  denied + big + "room for 6.5Gi before pods are evicted",
			huge: denied + huge + "room for 8.5Gi even on an empty disk",
			gpu:  denied + huge + "room for 8.5Gi even on an empty disk",
		},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			startNodes(t, disk.Catalog{}, test.nodes...)
			setAutoscalerStatus(t, test.status)
			setPolicyText(t, strings.Replace(policyText("mode: Enforce"), "nodePools: [",
				"nodePools: [{name: tested, selector: {matchLabels: {"+poolLabel+": elastic}}, "+test.pool+"}, ", 1))
			p := startHeadroom(t)
			awaitMode(t, p, "Enforce")
			awaitWebhook(t, p)
			for what, c := range map[string]struct {
				image, want string
				gpus        int64
			}{"big": {"example.com/big:1", test.big, 0}, "huge": {"example.com/huge:1", test.huge, 0}, "huge, with a GPU": {"example.com/huge:1", test.gpu, 1}} {
				pod := poolPod("app", "elastic", c.image)
				if c.gpus > 0 {
					pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"nvidia.com/gpu": *resource.NewQuantity(c.gpus, resource.DecimalSI)}
				}
				// Nodes for others have the label "for".
				pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "for", Operator: corev1.NodeSelectorOpDoesNotExist}}}},
				}}}
				said, _ := dryRun(t, "default", pod)
				if said = strings.TrimSpace(said); said != c.want {
					t.Errorf("%s\n  %s\nwant\n  %s", what, said, c.want)
				}
			}
		})
	}
}
