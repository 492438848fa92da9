// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/binary"
	"hash/maphash"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

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
	joined(&row, slim.Status.Addresses)
	r := &nodeRecord{
		resourceVersion: slim.ResourceVersion, row: &row, addresses: slim.Status.Addresses,
		port: slim.Status.DaemonEndpoints.KubeletEndpoint.Port, listed: f.hashOf(list),
	}
	r.labels = f.labelsOf(row.Labels)
	row.Labels, row.Hostname = r.labels.labels, row.Labels[corev1.LabelHostname]
	if row.Hostname == row.Name {
		row.Hostname = row.Name // in the same memory
	}
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

// joined puts the texts that each node has for itself into one piece of memory: alone, each would hold on to a page of what has come
// with it.
func joined(row *ledger.Node, addresses []corev1.NodeAddress) {
	var all strings.Builder
	kept := []*string{&row.Name, (*string)(&row.UID), &row.BootID}
	for i := range addresses {
		addresses[i].Type = corev1.NodeInternalIP // as slimNode has found
		kept = append(kept, &addresses[i].Address)
	}
	for _, text := range kept {
		all.WriteString(*text)
	}
	rest := all.String()
	for _, text := range kept {
		*text, rest = rest[:len(*text)], rest[len(*text):]
	}
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
