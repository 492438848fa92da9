// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// ways are the ones in which all is read.
var ways = map[string]func(ctx context.Context, client kubernetes.Interface, t *took) error{
	"bytes":     readBytes,
	"decode":    decodePages,
	"informers": fillInformers,
}

func command() *cobra.Command {
	var kubeconfig, way string
	var hold bool
	known := strings.Join(slices.Sorted(maps.Keys(ways)), ", ")
	c := &cobra.Command{
		Use:   "baseline",
		Short: "Read all nodes and pods of an API server, and print what that took",
		Long: `Read all nodes and pods of an API server in protobuf, and print what that took.

bytes      pages of 5000, not looked at
decode     pages of 5000, each decoded and dropped: decodeCPUSeconds is of that alone
informers  client-go's typed informers, which keep all`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			read := ways[way]
			if read == nil {
				return fmt.Errorf("--way: %q is none of %s", way, known)
			}
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			config.QPS, config.ContentType, config.AcceptContentTypes = -1, runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			t := begin()
			if err := read(c.Context(), client, t); err != nil {
				return err
			}
			if err := t.end(); err != nil {
				return err
			}
			if err := json.NewEncoder(c.OutOrStdout()).Encode(t); err != nil {
				return err
			}
			if hold {
				<-c.Context().Done()
			}
			return nil
		},
	}
	c.Flags().StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the API server")
	c.Flags().StringVar(&way, "way", "informers", "how: "+known)
	c.Flags().BoolVar(&hold, "hold", false, "go on until interrupted")
	return c
}
