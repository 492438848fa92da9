// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// pauseImage is what pod sandboxes run; nodes keep it whatever happens.
const pauseImage = "lab/pause:1"

// Image is an image to make up and push. It runs a program that waits for a signal, so pods with it really run.
//
// Pushed by a second name it gets a second tag; another one pushed by its name takes the tag over.
type Image struct {
	// Name is repository:tag, without a host. A repository has at least two characters.
	Name string
	// Layers come after the layer with the program (about 1 MB), which all images share. No layers are fine.
	Layers []Layer
	// Platforms are like linux/arm64; by default that of this machine. More than one make an index. The first one has the layers as
	// given, each further one the same with other seeds, so that platforms share nothing but the program. In an index those of other
	// machines than this one have smaller layers, each of a size of its own: whoever takes the wrong one is found out.
	Platforms []string
	// WithoutProgram leaves out the program and its layer: the image can't run, and is for volumes.
	WithoutProgram bool
}

// Push makes the image up, pushes it and returns its digest (that of the index where there is one). The same image always has
// the same digest. Pods name it RegistryHost/Name.
func (r *Registry) Push(ctx context.Context, img Image) (string, error) {
	tag, err := name.NewTag(r.Address+"/"+img.Name, name.Insecure, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("image %q: %w; write it as repository:tag", img.Name, err)
	}
	var base v1.Layer // none
	if !img.WithoutProgram {
		if base, err = r.programLayer(ctx); err != nil {
			return "", err
		}
	}
	platforms := img.Platforms
	if len(platforms) == 0 {
		platforms = []string{"linux/" + runtime.GOARCH}
	}
	images := make([]v1.Image, len(platforms))
	for i, platform := range platforms {
		if images[i], err = r.image(base, layersAt(img.Layers, platforms, i), platform); err != nil {
			return "", fmt.Errorf("image %q: %w", img.Name, err)
		}
	}
	if len(images) == 1 {
		if err := remote.Write(tag, images[0], remote.WithContext(ctx)); err != nil {
			return "", fmt.Errorf("push %q: %w", img.Name, err)
		}
		return digestOf(images[0])
	}
	index, err := indexOf(images, platforms)
	if err != nil {
		return "", err
	}
	if err := remote.WriteIndex(tag, index, remote.WithContext(ctx)); err != nil {
		return "", fmt.Errorf("push %q: %w", img.Name, err)
	}
	return digestOf(index)
}

// layersAt are the layers of the platform at that place.
func layersAt(layers []Layer, platforms []string, place int) []Layer {
	layers = slices.Clone(layers)
	for i := range layers {
		l := &layers[i]
		l.Seed += uint64(place) << 32 //nolint:gosec // a place is no number below zero
		if len(platforms) > 1 && !strings.HasPrefix(platforms[place], "linux/"+runtime.GOARCH) {
			l.Bytes = l.Bytes / int64(place+3) * int64(place+2)
		}
	}
	return layers
}

// image makes the image of one platform. Without a base it has nothing to run.
func (r *Registry) image(base v1.Layer, layers []Layer, platform string) (v1.Image, error) {
	p, err := v1.ParsePlatform(platform)
	if err != nil || p.OS == "" || p.Architecture == "" {
		return nil, fmt.Errorf("platform %q is not of the form linux/amd64", platform)
	}
	var all []mutate.Addendum
	if base != nil {
		all = append(all, mutate.Addendum{Layer: base})
	}
	for _, spec := range layers {
		layer, err := r.layer(spec)
		if err != nil {
			return nil, err
		}
		all = append(all, layer.addendum())
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.Append(image, all...); err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	if base != nil {
		config.Config.Entrypoint = []string{"/pause"}
	}
	return mutate.ConfigFile(image, config)
}

// layer is the layer that spec describes; its digest is computed only once.
func (r *Registry) layer(spec Layer) (*madeUpLayer, error) {
	r.mu.Lock()
	d, known := r.known[spec]
	r.mu.Unlock()
	if !known {
		var err error
		if d, err = describe(spec); err != nil {
			return nil, err
		}
		r.mu.Lock()
		r.known[spec] = d
		r.mu.Unlock()
	}
	return &madeUpLayer{spec: spec, described: d}, nil
}

// programLayer is the layer with the pause program, built when it is first needed.
func (r *Registry) programLayer(ctx context.Context) (v1.Layer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.base != nil {
		return r.base, nil
	}
	path, err := buildPause(ctx, io.Discard)
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r.base, err = newProgramLayer(program)
	return r.base, err
}

// indexOf puts the images of several platforms under one name.
func indexOf(images []v1.Image, platforms []string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, image := range images {
		platform, err := v1.ParsePlatform(platforms[i])
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return index, nil
}

// digestOf is the digest of an image or an index.
func digestOf(of interface{ Digest() (v1.Hash, error) }) (string, error) {
	digest, err := of.Digest()
	return digest.String(), err
}
