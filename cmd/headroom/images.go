// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

// imageReport is one image in the output of `headroom images`: a documented API.
type imageReport struct {
	Name string `json:"name"`
	// Kinds are the runtimes and platforms of the nodes that the row is about.
	Kinds []string `json:"kinds"`
	// DiskBytes is what the image takes on a disk that has none of it.
	DiskBytes estimate.Bytes   `json:"diskBytes"`
	Source    imagesize.Source `json:"source"`
	// Nodes have the image, Pulling are getting it.
	Nodes   []string `json:"nodes"`
	Pulling []string `json:"pulling"`
}

type imagesReport struct {
	Images []imageReport `json:"images"`
}

func newImagesCommand() *cobra.Command {
	live := liveOptions{listed: true, events: true}
	format := outputTable
	command := &cobra.Command{
		Use:   "images",
		Short: "Show what each image takes on a node's disk",
		Long: `Show what each image that a node has, or is pulling, takes on the disk of a node
that has none of it: the likely size and, where it is not exact, the bounds.
The largest come first. Registries of the policy's list are asked for layers.

SOURCE says where the size comes from: layers read at the registry, a node that
reports it, a kubelet's event, the registry's manifest, the operator's table in
the policy, assumed, unknown. An image has one row unless it takes different
sizes on different runtimes or platforms. ~ marks an estimate. Images that share
layers take less together than the sum.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cluster, err := live.look(command.Context(), command.ErrOrStderr())
			if err != nil {
				return err
			}
			report := imagesOn(cluster.snapshot, cluster.policy, cluster.now)
			return format.write(command.OutOrStdout(), report, report.table)
		},
	}
	live.addFlags(command.Flags())
	command.Flags().VarP(&format, "output", "o", "Output format: table, json or yaml.")
	return command
}

func (r imagesReport) table(w io.Writer) {
	rows := map[string]int{}
	for i := range r.Images {
		rows[r.Images[i].Name]++
	}
	row(w, "IMAGE", "ON DISK", "SOURCE", "NODES", "PULLING")
	for _, image := range r.Images {
		name := image.Name
		if rows[name] > 1 {
			name += " (" + strings.Join(image.Kinds, ", ") + ")"
		}
		row(w, name, image.onDisk(), string(image.Source), strconv.Itoa(len(image.Nodes)), strconv.Itoa(len(image.Pulling)))
	}
}

// onDisk is the size for people: what nobody knows is no estimate of zero.
func (i imageReport) onDisk() string {
	switch size := i.DiskBytes; {
	case size.IsExact():
		return size.String()
	case size.High < math.MaxInt64:
		return fmt.Sprintf("%s (%s-%s)", size, estimate.Format(size.Low), estimate.Format(size.High))
	case size.Likely == 0:
		return "?"
	default:
		return fmt.Sprintf("%s (%s or more)", size, estimate.Format(size.Low))
	}
}

// sorted puts the largest images first.
func (r imagesReport) sorted() imagesReport {
	slices.SortFunc(r.Images, func(a, b imageReport) int {
		return cmp.Or(cmp.Compare(b.DiskBytes.Likely, a.DiskBytes.Likely), strings.Compare(a.Name, b.Name), slices.Compare(a.Kinds, b.Kinds))
	})
	return r
}
