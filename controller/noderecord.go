// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/ledger"
)

// nodeRecord is what the informer's cache has of a Node: what this package reads, in a form that costs little. Only its images
// ever change.
type nodeRecord struct {
	resourceVersion string
	// row is without its images. The ledger has it, too.
	row *ledger.Node
	// images are those that the ledger is to be told of, each of which is one for all nodes that list it; nil once it has been, for
	// it has them from then on.
	images atomic.Pointer[[]*ledger.ListedImage]
	// listed tells one list of images from another, 0 is no list.
	listed uint64
	// labels and extended are those of the row: one for all nodes that have the same, as long as one of them holds it.
	labels   *sharedLabels
	extended *extendedResources
	// addresses are the internal ones, port is the kubelet's.
	addresses []corev1.NodeAddress
	port      int32
}

// GetObjectMeta implements [metav1.ObjectMetaAccessor].
func (r *nodeRecord) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: r.row.Name, UID: r.row.UID, ResourceVersion: r.resourceVersion}
}

// node is the Node as slimNode leaves it, without what is in the row only.
func (r *nodeRecord) node() *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: r.row.Name, UID: r.row.UID, ResourceVersion: r.resourceVersion, Labels: r.row.Labels},
		Spec:       corev1.NodeSpec{Taints: r.row.Taints, Unschedulable: r.row.Unschedulable},
	}
	n.Status.Addresses, n.Status.DaemonEndpoints.KubeletEndpoint.Port = r.addresses, r.port
	n.Status.NodeInfo.BootID, n.Status.NodeInfo.OperatingSystem = r.row.BootID, r.row.OS
	return n
}

// handOver returns the images that the ledger is to be told of, once. It is false where the ledger has them.
func (r *nodeRecord) handOver() (images []ledger.ListedImage, anew bool) {
	if r.listed == 0 {
		return nil, true
	}
	list := r.images.Swap(nil)
	if list == nil {
		return nil, false
	}
	images = make([]ledger.ListedImage, len(*list))
	for i, image := range *list {
		images[i] = *image
	}
	return images, true
}

// at is the record of another version of the Node, in which nothing differs.
func (r *nodeRecord) at(version string) *nodeRecord {
	same := &nodeRecord{
		resourceVersion: version, row: r.row, listed: r.listed, labels: r.labels, extended: r.extended, addresses: r.addresses, port: r.port,
	}
	same.images.Store(r.images.Load())
	return same
}

// isSame reports whether nothing has changed that anybody is told of: most updates are heartbeats.
func (r *nodeRecord) isSame(o *nodeRecord) bool {
	return sameRow(r.row, o.row) && r.port == o.port && slices.Equal(r.addresses, o.addresses) && r.listed == o.listed
}

// sameRow compares all but the images.
func sameRow(a, b *ledger.Node) bool {
	return a.UID == b.UID && a.BootID == b.BootID && a.Runtime == b.Runtime && a.EphemeralStorageBytes == b.EphemeralStorageBytes &&
		a.Unschedulable == b.Unschedulable && a.Ready == b.Ready && a.DiskPressure == b.DiskPressure &&
		a.OS == b.OS && a.Architecture == b.Architecture && a.Allocatable.Equal(b.Allocatable) &&
		a.Hostname == b.Hostname && maps.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Taints, b.Taints, sameTaint)
}

// sameTaint compares all but when it was added, which nobody asks for.
func sameTaint(a, b corev1.Taint) bool {
	return a.Key == b.Key && a.Value == b.Value && a.Effect == b.Effect
}

// sharedLabels are a node's but for its name.
type sharedLabels struct{ labels map[string]string }

// extendedResources are all that a node offers but CPU, memory and pods.
type extendedResources struct{ amounts map[corev1.ResourceName]int64 }
