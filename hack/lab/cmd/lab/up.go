// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/headroom-dev/headroom/hack/lab"
)

// upOptions are the flags of up.
type upOptions struct {
	dir     *string
	nodes   int
	disk    string
	discard bool
}

func newUpCommand(dir *string) *cobra.Command {
	o := upOptions{dir: dir}
	c := &cobra.Command{
		Use:   "up",
		Short: "Start the lab; a lab that runs or has crashed in the same folder is ended first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c.Context(), c.OutOrStdout())
		},
	}
	c.Flags().IntVar(&o.nodes, "nodes", 1, "how many nodes; they need root")
	c.Flags().StringVar(&o.disk, "disk", "2Gi", "size of each node's image file system")
	c.Flags().BoolVar(&o.discard, "discard-unpacked-layers", false, "nodes drop compressed layers once they are unpacked")
	return c
}

// run starts everything. The kubeconfig's path is the last line.
func (o upOptions) run(ctx context.Context, out io.Writer) (err error) {
	disk, err := parseSize("--disk", o.disk)
	if err != nil {
		return err
	}
	nodes := o.nodes
	if reason := lab.Available(); reason != nil && nodes > 0 {
		say(out, "no nodes, only the control plane and a registry: %v\n", reason)
		nodes = 0
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	cp, err := lab.StartControlPlane(ctx, lab.ControlPlaneOptions{
		Dir: *o.dir, Out: out, ForNodes: nodes > 0, ControllerManager: true, Scheduler: true, Detached: true,
	})
	if err != nil {
		return err
	}
	if err := o.startNodes(ctx, cp, executable, nodes, disk); err != nil {
		return errors.Join(err, cp.Stop())
	}
	say(out, "\ntry:  export KUBECONFIG=%s\n      %s get nodes\n", cp.Kubeconfig, filepath.Join(cp.BinDir, "kubectl"))
	say(out, "kubeconfig: %s\n", cp.Kubeconfig)
	return nil
}

// startNodes starts the registry and the nodes.
func (o upOptions) startNodes(ctx context.Context, cp *lab.ControlPlane, executable string, nodes int, disk int64) error {
	registry, err := cp.StartRegistry(ctx, executable)
	if err != nil {
		return err
	}
	for i := range nodes {
		options := lab.NodeOptions{Name: fmt.Sprintf("node%d", i+1), DiskBytes: disk, DiscardUnpackedLayers: o.discard}
		if _, err := lab.StartNode(ctx, cp, registry, options); err != nil {
			return err
		}
	}
	return nil
}

// parseSize reads a number of bytes like 200Mi.
func parseSize(flag, s string) (int64, error) {
	quantity, err := resource.ParseQuantity(s)
	if err != nil || quantity.Sign() <= 0 {
		return 0, fmt.Errorf("%s %q is not a size: write it like 200Mi or 2Gi", flag, s)
	}
	return quantity.Value(), nil
}
