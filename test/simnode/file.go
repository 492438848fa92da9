// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// File is the YAML form of the options. Sizes are quantities ("2Gi"), durations
// are "90s", percents are whole numbers.
type File struct {
	Speed         int                  `json:"speed,omitempty"`
	ListenAddress string               `json:"listenAddress,omitempty"`
	Port          int                  `json:"port,omitempty"`
	SelfSigned    bool                 `json:"selfSigned,omitempty"`
	ManageTaints  bool                 `json:"manageTaints,omitempty"`
	Nodes         []FileNode           `json:"nodes,omitempty"`
	Images        map[string]FileImage `json:"images,omitempty"`
	// DefaultImage stands for every name that Images lacks; without it, pulling an
	// unknown name fails.
	DefaultImage *FileImage `json:"defaultImage,omitempty"`
}

// FileNode is one node, or with a count that many: NAME-1, NAME-2 and so on.
type FileNode struct {
	Name  string `json:"name"`
	Count int    `json:"count,omitempty"`

	Disk                  resource.Quantity `json:"disk"`
	Reserved              resource.Quantity `json:"reserved,omitzero"`
	OtherUsed             resource.Quantity `json:"otherUsed,omitzero"`
	SharedWithNodeFS      bool              `json:"sharedWithNodeFS,omitempty"`
	NodeFS                resource.Quantity `json:"nodeFS,omitzero"`
	DiscardUnpackedLayers bool              `json:"discardUnpackedLayers,omitempty"`
	PreloadedImages       []string          `json:"preloadedImages,omitempty"`
	PullRate              resource.Quantity `json:"pullRate,omitzero"` // bytes per second

	ImageGCHighThresholdPercent      int               `json:"imageGCHighThresholdPercent,omitempty"`
	ImageGCLowThresholdPercent       int               `json:"imageGCLowThresholdPercent,omitempty"`
	ImageMinimumGCAge                metav1.Duration   `json:"imageMinimumGCAge,omitzero"`
	ImageMaximumGCAge                metav1.Duration   `json:"imageMaximumGCAge,omitzero"`
	EvictionHard                     map[string]string `json:"evictionHard,omitempty"`
	EvictionSoft                     map[string]string `json:"evictionSoft,omitempty"`
	EvictionSoftGracePeriod          map[string]string `json:"evictionSoftGracePeriod,omitempty"`
	EvictionMinimumReclaim           map[string]string `json:"evictionMinimumReclaim,omitempty"`
	EvictionPressureTransitionPeriod metav1.Duration   `json:"evictionPressureTransitionPeriod,omitzero"`
	NodeStatusMaxImages              int               `json:"nodeStatusMaxImages,omitempty"`

	GCPeriod           metav1.Duration `json:"gcPeriod,omitzero"`
	EvictionPeriod     metav1.Duration `json:"evictionPeriod,omitzero"`
	HousekeepingPeriod metav1.Duration `json:"housekeepingPeriod,omitzero"`
	ImageListPeriod    metav1.Duration `json:"imageListPeriod,omitzero"`
	StatusPeriod       metav1.Duration `json:"statusPeriod,omitzero"`

	Labels map[string]string `json:"labels,omitempty"`
	Taints []corev1.Taint    `json:"taints,omitempty"`
	CPU    resource.Quantity `json:"cpu,omitzero"`
	Memory resource.Quantity `json:"memory,omitzero"`
}

// FileImage is an image by its sizes, or by its layers from the bottom up.
type FileImage struct {
	// Reported is the compressed size, as a node reports it.
	Reported resource.Quantity `json:"reported,omitzero"`
	// Disk is all that it takes on the disk, blobs included. Twice Reported when
	// left out, which is what contents take that do not compress.
	Disk   resource.Quantity `json:"disk,omitzero"`
	Digest string            `json:"digest,omitempty"`
	Pinned bool              `json:"pinned,omitempty"`
	Layers []FileLayer       `json:"layers,omitempty"`
}

// FileLayer is one layer. Layers of the same digest are stored once.
type FileLayer struct {
	Digest     string            `json:"digest"`
	Compressed resource.Quantity `json:"compressed"`
	Disk       resource.Quantity `json:"disk"`
}

// maxCount is more nodes than Kubernetes supports in a cluster.
const maxCount = 10_000

// ParseFile reads options from YAML. Unknown fields are errors. Config and
// Logger are left to the caller.
func ParseFile(document []byte) (Options, error) {
	var f File
	if err := yaml.UnmarshalStrict(document, &f); err != nil {
		return Options{}, err
	}
	opts := Options{
		Speed: f.Speed, ListenAddress: f.ListenAddress, Port: f.Port, SelfSigned: f.SelfSigned, ManageTaints: f.ManageTaints,
		Images: disk.Catalog{Images: map[string]disk.Image{PauseImage: pauseImage()}},
	}
	for _, name := range slices.Sorted(maps.Keys(f.Images)) {
		img, err := f.Images[name].image(name)
		if err != nil {
			return Options{}, fmt.Errorf("images[%q]: %w", name, err)
		}
		opts.Images.Images[name] = img
	}
	if f.DefaultImage != nil {
		img, err := f.DefaultImage.image("")
		if err != nil {
			return Options{}, fmt.Errorf("defaultImage: %w", err)
		}
		opts.Images.Default = &img
	}
	if _, err := opts.Images.Normalized(); err != nil {
		return Options{}, fmt.Errorf("images: %w", err)
	}
	for i, fn := range f.Nodes {
		if fn.Name == "" || fn.Disk.Sign() <= 0 {
			return Options{}, fmt.Errorf("nodes[%d]: needs a name and a disk size such as 2Gi", i)
		}
		if fn.Count < 0 || fn.Count > maxCount {
			return Options{}, fmt.Errorf("nodes[%d]: count %d must be between 0 and %d", i, fn.Count, maxCount)
		}
		spec := fn.spec()
		if fn.Count == 0 {
			opts.Nodes = append(opts.Nodes, spec)
		}
		for c := range fn.Count {
			spec.Name = fn.Name + "-" + strconv.Itoa(c+1)
			opts.Nodes = append(opts.Nodes, spec)
		}
	}
	return opts, nil
}

func (i FileImage) image(name string) (disk.Image, error) {
	if _, err := disk.CanonicalName(name); name != "" && err != nil {
		return disk.Image{}, err
	}
	reported, onDisk := i.Reported.Value(), i.Disk.Value()
	switch {
	case len(i.Layers) > 0 && (reported != 0 || onDisk != 0):
		return disk.Image{}, errors.New("give either layers, or reported and disk, not both")
	case len(i.Layers) == 0 && reported <= 0:
		return disk.Image{}, errors.New("reported must be more than 0, or layers given")
	case onDisk != 0 && onDisk < reported:
		return disk.Image{}, fmt.Errorf("disk %s is less than reported %s: it counts the compressed blobs too", i.Disk.String(), i.Reported.String())
	}
	if onDisk == 0 {
		onDisk = 2 * reported
	}
	img := disk.SimpleImage(name, reported, onDisk)
	if len(i.Layers) > 0 {
		img.Layers = nil
	}
	for n, l := range i.Layers {
		if !l.valid() {
			return disk.Image{}, fmt.Errorf("layers[%d]: needs a digest, and sizes of 0 or more", n)
		}
		img.Layers = append(img.Layers, disk.Layer{Digest: l.Digest, CompressedBytes: l.Compressed.Value(), DiskBytes: l.Disk.Value()})
	}
	img.Digest, img.Pinned = i.Digest, i.Pinned
	return img, nil
}

func (l FileLayer) valid() bool {
	return l.Digest != "" && l.Compressed.Sign() >= 0 && l.Disk.Sign() >= 0
}

func (f FileNode) spec() NodeSpec {
	return NodeSpec{
		Name: f.Name,
		Config: disk.Config{
			DiskBytes: f.Disk.Value(), ReservedBytes: f.Reserved.Value(), OtherUsedBytes: f.OtherUsed.Value(),
			SharedWithNodeFS: f.SharedWithNodeFS, NodeFSBytes: f.NodeFS.Value(), DiscardUnpackedLayers: f.DiscardUnpackedLayers,
			PreloadedImages: append([]string{PauseImage}, f.PreloadedImages...), PullBytesPerSecond: f.PullRate.Value(),
			GCHighPercent: f.ImageGCHighThresholdPercent, GCLowPercent: f.ImageGCLowThresholdPercent,
			ImageMinimumGCAge: f.ImageMinimumGCAge.Duration, ImageMaximumGCAge: f.ImageMaximumGCAge.Duration,
			PressureTransition: f.EvictionPressureTransitionPeriod.Duration,
			GCPeriod:           f.GCPeriod.Duration, EvictionPeriod: f.EvictionPeriod.Duration,
			HousekeepingPeriod: f.HousekeepingPeriod.Duration, ImageListPeriod: f.ImageListPeriod.Duration,
		},
		EvictionHard: f.EvictionHard, EvictionSoft: f.EvictionSoft, EvictionSoftGracePeriod: f.EvictionSoftGracePeriod,
		EvictionMinimumReclaim: f.EvictionMinimumReclaim, NodeStatusMaxImages: f.NodeStatusMaxImages,
		StatusPeriod: f.StatusPeriod.Duration, Labels: f.Labels, Taints: f.Taints, AllocatableCPU: f.CPU, AllocatableMemory: f.Memory,
	}
}
