// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
)

// catalogImages is how many different images there are.
const catalogImages = 3000

// image is one of the catalog.
type image struct {
	repository, tag, digest string
	bytes                   int64
	// encoded is the entry of a node's list, with the tag and length of its field.
	encoded []byte
}

func (i *image) name() string { return i.repository + ":" + i.tag }

// names are those that a node lists, as containerd does: by digest, by tag.
func (i *image) names() []string { return []string{i.repository + "@" + i.digest, i.name()} }

func (i *image) listed() corev1.ContainerImage {
	return corev1.ContainerImage{Names: i.names(), SizeBytes: i.bytes}
}

// statusImages is the field of NodeStatus that lists images, as it begins in protobuf (k8s.io/api/core/v1/generated.proto).
const statusImages = 8<<3 | 2

// newCatalog makes images from the largest, 5.7 GB, to the smallest, 700 KB: half of them have less than 20 MB.
func newCatalog(seed uint64) ([]image, error) {
	hosts := []string{"registry.example.com/platform", "registry.example.com/team-payments", "mirror.example.com/docker.io/library", "eu-docker.pkg.example.com/acme-prod/services"}
	kinds := []string{"gateway", "ledger-writer", "metrics-agent", "checkout", "search-indexer", "ml-runtime", "session-store", "report-builder", "image-resizer", "feature-flags"}
	catalog := make([]image, catalogImages)
	for i := range catalog {
		from := float64(i) / catalogImages
		c := &catalog[i]
		c.bytes = int64(700_000 * math.Exp(9*math.Pow(1-from, 1.6)))
		c.bytes -= c.bytes % 97 * int64(drawn(7, seed, 10, i)) // round sizes look like made up ones
		c.repository = fmt.Sprintf("%s/%s-%04d", hosts[drawn(len(hosts), seed, 11, i)], kinds[drawn(len(kinds), seed, 12, i)], i)
		c.tag = fmt.Sprintf("v%d.%d.%d-%07x", drawn(4, seed, 13, i), drawn(30, seed, 14, i), drawn(10, seed, 15, i), drawn(1<<28, seed, 16, i))
		digest := make([]byte, 64)
		putHex(digest, mix(mix(seed, 17), uint64(i)))
		c.digest = "sha256:" + string(digest)

		listed := c.listed()
		entry, err := listed.Marshal()
		if err != nil {
			return nil, err
		}
		c.encoded = appendField(nil, statusImages, entry)
	}
	return catalog, nil
}
