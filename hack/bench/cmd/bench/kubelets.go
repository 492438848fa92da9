// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"time"

	"github.com/headroom-dev/headroom/test/simnode/crowd"
	"github.com/headroom-dev/headroom/test/synthapi/fleet"
	"github.com/spf13/cobra"
)

// newKubeletsCommand is the process of all kubelets of a synthetic API server: what they cost is not measured.
func newKubeletsCommand() *cobra.Command {
	o := crowd.Options{KubeletAt: fleet.NodeOfAddress}
	command := &cobra.Command{
		Use: "kubelets", Hidden: true, Args: cobra.NoArgs, Short: "Run kubelets that do nothing but answer, and write in JSON where they are, until SIGTERM",
		RunE: func(command *cobra.Command, _ []string) error {
			c, err := crowd.Start(o, time.Now)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := json.NewEncoder(command.OutOrStdout()).Encode(c); err != nil {
				return err
			}
			<-command.Context().Done()
			return nil
		},
	}
	flags := command.Flags()
	flags.IntVar(&o.Kubelets, "kubelets", 1000, "How many.")
	flags.IntVar(&o.Pods, "pods", 110, "Pods of each.")
	flags.IntVar(&o.Interfaces, "interfaces", 2, "Network interfaces of each.")
	flags.Int64Var(&o.AvailableBytes, "available-bytes", 0, "What each has left of its disk of 100 GiB.")
	return command
}
