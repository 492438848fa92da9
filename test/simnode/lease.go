// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// leaseSeconds is the kubelet's default lease duration.
const leaseSeconds = 40

// renewLease says that the node lives. A lease that is missing is made.
func (n *Node) renewLease(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	leases := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	lease, err := leases.Get(ctx, n.spec.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: n.spec.Name, Namespace: corev1.NamespaceNodeLease}}
		lease.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: n.spec.Name, UID: n.object.UID}}
		n.fillLease(lease, now)
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{})
	} else if err == nil {
		n.fillLease(lease, now)
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if err != nil {
		n.retry("lease", err)
		n.nextLease = n.nextRetry
	}
}

func (n *Node) fillLease(lease *coordinationv1.Lease, now time.Time) {
	lease.Spec.HolderIdentity = new(n.spec.Name)
	lease.Spec.LeaseDurationSeconds = new(int32(leaseSeconds))
	lease.Spec.RenewTime = &metav1.MicroTime{Time: now}
}
