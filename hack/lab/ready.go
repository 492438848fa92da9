// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// ready is nil once the Node object says that the node is Ready, in a status written since then, and takes pods. It puts the
// node's labels on it.
func (n *Node) ready(ctx context.Context, since time.Time) error {
	client, err := n.plane.client()
	if err != nil {
		return err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	at := slices.IndexFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
	if at < 0 {
		return errors.New("it has no status yet")
	}
	condition := node.Status.Conditions[at]
	if condition.Status != corev1.ConditionTrue {
		return fmt.Errorf("it is not Ready: %s", condition.Message)
	}
	if condition.LastHeartbeatTime.Time.Before(since.Truncate(time.Second)) {
		return errors.New("its status is an old one")
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady || taint.Key == corev1.TaintNodeUnreachable {
			return fmt.Errorf("it still has the taint %s", taint.ToString())
		}
	}
	// The status may be that of the kubelet before this one, so this one has to answer, too.
	if err := client.CoreV1().RESTClient().Get().Resource("nodes").Name(n.Name).SubResource("proxy").Suffix("healthz").Do(ctx).Error(); err != nil {
		return fmt.Errorf("its kubelet does not answer: %w", err)
	}
	return n.label(ctx, client, node)
}

// label puts the labels of the options on the Node object, with all rights: a kubelet may not set every label.
func (n *Node) label(ctx context.Context, client kubernetes.Interface, node *corev1.Node) error {
	missing := map[string]string{}
	for key, value := range n.options.Labels {
		if have, ok := node.Labels[key]; !ok || have != value {
			missing[key] = value
		}
	}
	if len(missing) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": missing}})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, n.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// dial is nil when something listens on a socket.
func dial(ctx context.Context, socket string) error {
	connection, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return connection.Close()
}
