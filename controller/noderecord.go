// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// nodeRecord is what the informer's cache has of a Node: what this package reads, in a form that costs little. It never changes.
type nodeRecord struct {
	resourceVersion string
	// row is without its images: images are those, each of which is one for all nodes that list it.
	row    ledger.Node
	images []*ledger.ListedImage
	// listed tells one list of images from another.
	listed uint64
	// extended is that of the row: one for all nodes that have the same, as long as one of them holds it.
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

// whole is the ledger's row.
func (r *nodeRecord) whole() ledger.Node {
	row := r.row
	if r.images != nil {
		row.Images = make([]ledger.ListedImage, len(r.images))
		for i, image := range r.images {
			row.Images[i] = *image
		}
	}
	return row
}

// isSame reports whether nothing has changed that anybody is told of: most updates are heartbeats.
func (r *nodeRecord) isSame(o *nodeRecord) bool {
	return sameRow(&r.row, &o.row) && r.port == o.port && slices.Equal(r.addresses, o.addresses) &&
		(r.images == nil) == (o.images == nil) && slices.Equal(r.images, o.images)
}

// sameRow compares all but the images.
func sameRow(a, b *ledger.Node) bool {
	return a.UID == b.UID && a.BootID == b.BootID && a.Runtime == b.Runtime && a.EphemeralStorageBytes == b.EphemeralStorageBytes &&
		a.Unschedulable == b.Unschedulable && a.Ready == b.Ready && a.DiskPressure == b.DiskPressure &&
		a.OS == b.OS && a.Architecture == b.Architecture && a.Allocatable.Equal(b.Allocatable) &&
		maps.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Taints, b.Taints, sameTaint)
}

// sameTaint compares all but when it was added, which nobody asks for.
func sameTaint(a, b corev1.Taint) bool {
	return a.Key == b.Key && a.Value == b.Value && a.Effect == b.Effect
}

// extendedResources are all that a node offers but CPU, memory and pods.
type extendedResources struct{ amounts map[corev1.ResourceName]int64 }

// nodeFeed makes records. Not safe for concurrent use.
type nodeFeed struct {
	images   *interned[ledger.ListedImage]
	extended *interned[extendedResources]
	texts    texts
	// last returns the record that is in the cache, nil for none.
	last func(name string) *nodeRecord
	hash maphash.Hash
}

func newNodeFeed(last func(name string) *nodeRecord) *nodeFeed {
	return &nodeFeed{images: newInterned[ledger.ListedImage](), extended: newInterned[extendedResources](), last: last}
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
	r := &nodeRecord{
		resourceVersion: slim.ResourceVersion, row: NodeOf(slim), addresses: slim.Status.Addresses,
		port: slim.Status.DaemonEndpoints.KubeletEndpoint.Port, listed: f.hashOf(list),
	}
	before := f.last(n.Name)
	if before != nil && before.listed == r.listed {
		r.images = before.images
	} else if list != nil {
		r.images = make([]*ledger.ListedImage, len(list))
		for i := range list {
			r.images[i] = f.imageOf(&list[i])
		}
	}
	r.extended = f.extendedOf(r.row.Allocatable.Extended)
	r.row.Allocatable.Extended = r.extended.amounts
	r.row.Runtime, r.row.OS, r.row.Architecture = imagesize.Runtime(f.text(string(r.row.Runtime))), f.text(r.row.OS), f.text(r.row.Architecture)
	if before != nil && maps.Equal(r.row.Labels, before.row.Labels) {
		r.row.Labels = before.row.Labels
	} else {
		r.row.Labels = f.texts.labels(r.row.Labels)
	}
	if before != nil && r.isSame(before) {
		version := r.resourceVersion
		*r = *before
		r.resourceVersion = version
	}
	return r, nil
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
