// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// newRootCommand is the whole command line. As `kubectl-headroom` on the PATH
// it is also `kubectl headroom`.
func newRootCommand() *cobra.Command {
	name := "headroom"
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-") {
		name = "kubectl headroom"
	}
	root := &cobra.Command{
		Use:   "headroom",
		Short: "Will this pod's images still fit on the nodes?",
		Long: `Headroom tells a Kubernetes cluster, before a pod starts, whether its images
still fit on the nodes.

  serve   watches nodes, pods and kubelets, and answers admission reviews
  nodes   shows each node's image storage now
  images  shows what each image takes on a node's disk
  check   says of pods in manifest files what would become of them`,
		Version:       version,
		SilenceErrors: true, // main prints them, once
		SilenceUsage:  true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: name},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newServeCommand(), newNodesCommand(), newImagesCommand(), newCheckCommand())
	return root
}
