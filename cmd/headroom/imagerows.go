// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// imageRows are rows in the making. An image and a size have one row.
type imageRows struct {
	snapshot *ledger.Snapshot
	policy   *policy.Policy
	names    imageNames
	rows     map[imageRow]*imageReport
	sizes    map[imageOnKind]imagesize.Size
}

type imageRow struct {
	name string
	size imagesize.Size
}

// imageOnKind is what the size of an image depends on.
type imageOnKind struct {
	ref      imageref.Ref
	runtime  imagesize.Runtime
	platform imagesize.Platform
	pool     *policy.NodePool
}

// imagesOn lists the images that nodes have, by their lists or pods, or pull. Nodes come by name, and so their names in each row.
func imagesOn(s *ledger.Snapshot, p *policy.Policy, now time.Time) imagesReport {
	r := imageRows{snapshot: s, policy: p, names: namesOn(s), rows: map[imageRow]*imageReport{}, sizes: map[imageOnKind]imagesize.Size{}}
	for node := range s.Nodes() {
		for listed := range node.Images() {
			if refs := listed.Refs; len(refs) > 0 {
				image := r.of(node, refs[0])
				image.Nodes = appendNew(image.Nodes, node.Name)
			}
		}
		for pod := range node.Pods() {
			for i := range pod.Images {
				// On the node, but below the cap of its list, or the list is not up to date.
				if pod.Images[i].Pulled && !pod.Finished && !node.Lists(&pod.Images[i]) {
					image := r.of(node, pod.Images[i].Ref)
					image.Nodes = appendNew(image.Nodes, node.Name)
				}
			}
		}
		for _, ref := range fit.Now(s, node, p, now).Account.Pulling {
			if _, listed := node.Listed(ref); !listed {
				image := r.of(node, ref)
				image.Pulling = appendNew(image.Pulling, node.Name)
			}
		}
	}
	report := imagesReport{Images: make([]imageReport, 0, len(r.rows))}
	for _, image := range r.rows {
		report.Images = append(report.Images, *image)
	}
	return report.sorted()
}

// of returns the row of an image as it is on that node.
func (r *imageRows) of(node *ledger.NodeRow, ref imageref.Ref) *imageReport {
	name, asked := r.names.of(ref)
	size := r.sizeOf(node, asked)
	if !size.Known() {
		size = r.sizeOf(node, ref) // This node, or others like it, may know it by another name only.
	}
	key := imageRow{name, size}
	image := r.rows[key]
	if image == nil {
		image = &imageReport{Name: name, DiskBytes: key.size.Disk, Source: key.size.Source, Nodes: []string{}, Pulling: []string{}}
		r.rows[key] = image
	}
	if of := kindOf(node); !slices.Contains(image.Kinds, of) {
		image.Kinds = append(image.Kinds, of)
		slices.Sort(image.Kinds)
	}
	return image
}

// sizeOf remembers what imageSize says.
func (r *imageRows) sizeOf(node *ledger.NodeRow, ref imageref.Ref) imagesize.Size {
	kind := imageOnKind{ref, node.Runtime, platformOf(node), r.policy.PoolOf(node.LabelSet())}
	size, known := r.sizes[kind]
	if !known {
		size = fit.ImageSize(r.snapshot, node, ref, r.policy)
		r.sizes[kind] = size
	}
	return size
}

func kindOf(node *ledger.NodeRow) string {
	runtime := string(node.Runtime)
	if node.Runtime == imagesize.OtherRuntime {
		runtime = "other"
	}
	return runtime + " " + node.OS + "/" + node.Architecture
}

// appendNew appends a name unless it is the last one: names come in order, and one may come several times.
func appendNew(all []string, one string) []string {
	if len(all) > 0 && all[len(all)-1] == one {
		return all
	}
	return append(all, one)
}

// imageNames knows the names that nodes list for the same image.
type imageNames map[imageref.Ref]namedImage

// namedImage has the name for people, by tag where there is one, and the one that registries are asked by, by digest.
type namedImage struct{ shown, asked imageref.Ref }

func namesOn(s *ledger.Snapshot) imageNames {
	names := imageNames{}
	for node := range s.Nodes() {
		for listed := range node.Images() {
			refs := listed.Refs
			if len(refs) == 0 {
				continue
			}
			image := namedImage{shown: firstOf(refs, func(r imageref.Ref) bool { return r.Tag() != "" }), asked: firstOf(refs, byDigest)}
			for _, ref := range refs {
				if before, known := names[ref]; !known || before.shown.Tag() == "" {
					names[ref] = image
				}
			}
		}
	}
	return names
}

func byDigest(ref imageref.Ref) bool { return ref.Digest() != "" }

// firstOf returns the first that is, and the first of all where none is.
func firstOf(refs []imageref.Ref, is func(imageref.Ref) bool) imageref.Ref {
	return refs[max(slices.IndexFunc(refs, is), 0)]
}

func (n imageNames) of(ref imageref.Ref) (shown string, asked imageref.Ref) {
	if image, known := n[ref]; known {
		return image.shown.Familiar(), image.asked
	}
	return ref.Familiar(), ref
}
