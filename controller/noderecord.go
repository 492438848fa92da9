// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
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

// nodeFeed makes records. Not safe for concurrent use.
type nodeFeed struct {
	images   *interned[ledger.ListedImage]
	labels   *interned[sharedLabels]
	extended *interned[extendedResources]
	texts    texts
	// last returns the record that is in the cache, nil for none.
	last func(name string) *nodeRecord
	hash maphash.Hash
}

func newNodeFeed(last func(name string) *nodeRecord) *nodeFeed {
	return &nodeFeed{
		images: newInterned[ledger.ListedImage](), labels: newInterned[sharedLabels](), extended: newInterned[extendedResources](), last: last,
	}
}

// transform is a cache transform (k8s.io/client-go/tools/cache.TransformFunc). What is not a Node passes unchanged.
func (f *nodeFeed) transform(object any) (any, error) {
	n, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	slim := slimNode(n)
	list := slim.Status.Images
	slim.Status.Images = nil
	row := NodeOf(slim)
	r := &nodeRecord{
		resourceVersion: slim.ResourceVersion, row: &row, addresses: slim.Status.Addresses,
		port: slim.Status.DaemonEndpoints.KubeletEndpoint.Port, listed: f.hashOf(list),
	}
	r.labels = f.labelsOf(row.Labels)
	row.Labels, row.Hostname = r.labels.labels, row.Labels[corev1.LabelHostname]
	r.extended = f.extendedOf(row.Allocatable.Extended)
	row.Allocatable.Extended = r.extended.amounts
	row.Runtime, row.OS, row.Architecture = imagesize.Runtime(f.text(string(row.Runtime))), f.text(row.OS), f.text(row.Architecture)
	before := f.last(n.Name)
	if before == nil || before.row.UID != row.UID || before.listed != r.listed {
		f.list(r, list)
		return r, nil
	}
	if r.isSame(before) {
		return before.at(r.resourceVersion), nil
	}
	r.images.Store(before.images.Load()) // Where it has none, the ledger has been told, or is before it is told of this one.
	return r, nil
}

// list gives a record its images.
func (f *nodeFeed) list(r *nodeRecord, list []corev1.ContainerImage) {
	if list == nil {
		return
	}
	images := make([]*ledger.ListedImage, len(list))
	for i := range list {
		images[i] = f.imageOf(&list[i])
	}
	r.images.Store(&images)
}

// labelsOf returns the one copy of labels, without that of the node's name.
func (f *nodeFeed) labelsOf(labels map[string]string) *sharedLabels {
	hash := uint64(len(labels))
	for key, value := range labels {
		if key != corev1.LabelHostname {
			hash += maphash.Comparable(f.labels.seed, [2]string{key, value}) // in any order
		}
	}
	return f.labels.of(hash, func() *sharedLabels {
		var shared map[string]string
		for key, value := range labels {
			if key == corev1.LabelHostname {
				continue
			}
			if shared == nil {
				shared = make(map[string]string, len(labels))
			}
			shared[f.text(key)] = f.text(value)
		}
		return &sharedLabels{shared}
	})
}

// extendedOf returns the one copy of what nodes of a kind offer.
func (f *nodeFeed) extendedOf(amounts map[corev1.ResourceName]int64) *extendedResources {
	hash := uint64(len(amounts))
	for name, n := range amounts {
		hash += maphash.Comparable(f.extended.seed, struct { // in any order
			name corev1.ResourceName
			n    int64
		}{name, n})
	}
	return f.extended.of(hash, func() *extendedResources { return &extendedResources{amounts} })
}

func (f *nodeFeed) text(text string) string {
	return f.texts.of(text, func(text string) string { return text })
}

// imageOf returns the one copy of an entry.
func (f *nodeFeed) imageOf(image *corev1.ContainerImage) *ledger.ListedImage {
	f.begin()
	f.add(image)
	return f.images.of(f.hash.Sum64(), func() *ledger.ListedImage {
		return &ledger.ListedImage{
			Refs: imageref.OfStatusNames(image.Names), NameCount: len(image.Names), ReportedBytes: max(0, image.SizeBytes),
		}
	})
}

// hashOf is 0 for no list.
func (f *nodeFeed) hashOf(list []corev1.ContainerImage) uint64 {
	if list == nil {
		return 0
	}
	f.begin()
	for i := range list {
		f.add(&list[i])
	}
	return max(f.hash.Sum64(), 1)
}

func (f *nodeFeed) begin() {
	f.hash.SetSeed(f.images.seed)
	f.hash.Reset()
}

func (f *nodeFeed) add(image *corev1.ContainerImage) {
	var number [8]byte
	for _, name := range image.Names {
		_, _ = f.hash.WriteString(name)
		_ = f.hash.WriteByte(0)
	}
	binary.LittleEndian.PutUint64(number[:], uint64(image.SizeBytes)) //nolint:gosec // its bits
	_, _ = f.hash.Write(append(number[:], 1))
}
