// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/lab"
)

// pushOptions are the flags of push.
type pushOptions struct {
	name, size, content string
	layers, files       int
	seed                uint64
	platforms           []string
}

func newPushCommand(dir *string) *cobra.Command {
	var o pushOptions
	c := &cobra.Command{
		Use:     "push",
		Short:   "Make up an image and push it to the lab's registry",
		Example: "  lab push --name app:v1 --size 200Mi --content random --layers 3 --seed 1",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			image, err := o.image()
			if err != nil {
				return err
			}
			cp, err := lab.Open(*dir)
			if err != nil {
				return err
			}
			registry, err := cp.Registry()
			if err != nil {
				return err
			}
			began := time.Now()
			digest, err := registry.Push(c.Context(), image)
			if err != nil {
				return err
			}
			say(c.ErrOrStderr(), "pushed in %s\n", time.Since(began).Round(100*time.Millisecond))
			say(c.OutOrStdout(), "%s/%s@%s\n", lab.RegistryHost, image.Name, digest)
			return nil
		},
	}
	c.Flags().StringVar(&o.name, "name", "", "repository:tag, without a host (required)")
	c.Flags().StringVar(&o.size, "size", "100Mi", "size of all layers together, uncompressed")
	c.Flags().StringVar(&o.content, "content", "random", "random (does not compress), zeros, text, tiny (files of 30 bytes), or source (files and folders like those of a program)")
	c.Flags().IntVar(&o.layers, "layers", 1, "how many layers the size is spread over")
	c.Flags().IntVar(&o.files, "files", 0, "how many files in each layer; 0 is one, or with tiny and source as many as it takes")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "images of other seeds share no layers; layer i has the seed plus i")
	c.Flags().StringSliceVar(&o.platforms, "platform", nil, "platforms like linux/arm64; this machine's by default, more than one make an index")
	if err := c.MarkFlagRequired("name"); err != nil {
		panic(err) // the flag is defined above
	}
	return c
}

// image is the image the flags describe.
func (o pushOptions) image() (lab.Image, error) {
	size, err := parseSize("--size", o.size)
	if err != nil {
		return lab.Image{}, err
	}
	content, err := lab.ParseContent(o.content)
	if err != nil {
		return lab.Image{}, fmt.Errorf("--content: %w", err)
	}
	if o.layers < 1 || int64(o.layers) > size {
		return lab.Image{}, fmt.Errorf("--layers %d: use at least 1, and no more than %s has bytes", o.layers, humanize.IBytes(uint64(size))) //nolint:gosec // positive
	}
	image := lab.Image{Name: o.name, Platforms: o.platforms}
	each := size / int64(o.layers)
	for i := range o.layers {
		layer := lab.Layer{Bytes: each, Content: content, Files: o.files, Seed: o.seed + uint64(i)}
		if i == o.layers-1 {
			layer.Bytes = size - each*int64(i)
		}
		image.Layers = append(image.Layers, layer)
	}
	return image, nil
}
