// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// nodeReport is one node in the output of `headroom nodes`: a documented API.
// All byte counts are of the node's image file system.
type nodeReport struct {
	Name              string         `json:"name"`
	Tier              ledger.Tier    `json:"tier"`
	CapacityBytes     int64          `json:"capacityBytes"`
	AvailableBytes    estimate.Bytes `json:"availableBytes"`
	PendingBytes      estimate.Bytes `json:"pendingBytes"`
	ReclaimableBytes  estimate.Bytes `json:"reclaimableBytes"`
	GCLineBytes       int64          `json:"gcLineBytes"`
	EvictionLineBytes int64          `json:"evictionLineBytes"`
	// Inodes are those of the same file system, and InodeLine how many must be
	// free before the kubelet reports disk pressure. 0 when not told.
	Inodes       int64           `json:"inodes"`
	InodesFree   int64           `json:"inodesFree"`
	InodeLine    int64           `json:"inodeLine"`
	ImagesListed int             `json:"imagesListed"`
	VerdictNow   verdict.Verdict `json:"verdictNow"`
}

type nodesReport struct {
	Nodes []nodeReport `json:"nodes"`
}

func newNodesCommand() *cobra.Command {
	var live liveOptions
	format := outputTable
	command := &cobra.Command{
		Use:   "nodes",
		Short: "Show each node's image storage now",
		Long: `Show each node's image storage now: what its kubelet measures, what pulls that
are under way still need, what could be reclaimed, and how much room is left
before the kubelet trims images and before it evicts pods.

NOW says what happens there without any new pod, and how many inodes are left
where they are short: then the kubelet reports disk pressure, too.

TIER says how good the numbers are: Measured by the kubelet, Declared in the
policy, Assumed from ephemeral-storage, None. ~ marks an estimate.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cluster, err := live.look(command.Context(), command.ErrOrStderr())
			if err != nil {
				return err
			}
			report := nodesOf(cluster.snapshot, cluster.policy, cluster.now)
			return format.write(command.OutOrStdout(), report, report.table)
		},
	}
	live.addFlags(command.Flags())
	command.Flags().VarP(&format, "output", "o", "Output format: table, json or yaml.")
	return command
}

func nodesOf(s *ledger.Snapshot, p *policy.Policy, now time.Time) nodesReport {
	report := nodesReport{Nodes: []nodeReport{}}
	for row := range s.Nodes() {
		result := fit.Now(s, row, p, now)
		listed, _ := row.ImagesListed()
		report.Nodes = append(report.Nodes, nodeReport{
			Name:              row.Name,
			Tier:              result.Account.Tier,
			CapacityBytes:     result.Account.CapacityBytes,
			AvailableBytes:    result.Account.Available,
			PendingBytes:      result.Account.Pending,
			ReclaimableBytes:  result.Account.Reclaimable,
			GCLineBytes:       result.Account.GCLineBytes,
			EvictionLineBytes: result.Account.EvictionLineBytes,
			Inodes:            result.Account.Inodes,
			InodesFree:        result.Account.InodesFree,
			InodeLine:         result.Account.InodeLine,
			ImagesListed:      listed,
			VerdictNow:        result.LikelyVerdict,
		})
	}
	return report
}

func (r nodesReport) table(w io.Writer) {
	row(w, "NODE", "TIER", "CAPACITY", "AVAILABLE", "USED", "PENDING", "RECLAIMABLE", "GC BELOW", "EVICTS BELOW", "HEADROOM", "IMAGES", "NOW")
	for _, n := range r.Nodes {
		row(w, n.Name, string(n.Tier), known(n.CapacityBytes), n.AvailableBytes.String(), n.usedPercent(),
			n.PendingBytes.String(), n.ReclaimableBytes.String(), known(n.GCLineBytes), known(n.EvictionLineBytes),
			n.headroom(), strconv.Itoa(n.ImagesListed), n.now())
	}
}

// usedPercent is the share of the capacity that is not available, rounded down
// as the kubelet does.
func (n nodeReport) usedPercent() string {
	if n.CapacityBytes <= 0 {
		return "?"
	}
	used := 100 - float64(n.AvailableBytes.Likely)/float64(n.CapacityBytes)*100
	return fmt.Sprintf("%d%%", int(used))
}

// now is the verdict, and how many inodes are left where they are short.
func (n nodeReport) now() string {
	if n.InodesFree >= n.InodeLine {
		return string(n.VerdictNow)
	}
	return fmt.Sprintf("%s (%d%% of inodes left)", n.VerdictNow, int(100*float64(n.InodesFree)/float64(max(n.Inodes, 1))))
}

// headroom is what can still be written before the kubelet evicts.
func (n nodeReport) headroom() string {
	if n.CapacityBytes <= 0 {
		return "?"
	}
	return n.AvailableBytes.Minus(estimate.Exactly(n.EvictionLineBytes)).String()
}

func known(bytes int64) string {
	if bytes <= 0 {
		return "-"
	}
	return cmp.Or(estimate.Format(bytes), "-")
}
