// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/headroom-dev/headroom/test/simnode"
	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// flags are the command's flags.
type flags struct {
	kubeconfig string
	file       string
	nodes      int
	prefix     string
	disk       string
	otherUsed  string
	listen     string
	speed      int
	taints     bool
	caFile     string
	servingCA  string
	servingKey string
	clientCA   string
	verbose    bool
}

func command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "simnode",
		Short: "Run simulated nodes against an API server",
		Long: `Run simulated nodes against an API server until interrupted.

Each node registers itself, pulls and runs pods over simulated time on a disk of
its own, collects images and evicts pods by the kubelet's formulas, and serves
/stats/summary and /configz with the kubelet's authorization.

Without --config, all nodes are alike and every image takes 300 MB on the disk.
With it, nodes and images come from the file, and flags that are given override it.`,
		Example:       "  simnode --kubeconfig lab/kubeconfig --nodes 3 --disk 2Gi --speed 10",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	c.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the API server (default: as kubectl)")
	c.Flags().StringVar(&f.file, "config", "", "YAML file with nodes and images")
	c.Flags().IntVar(&f.nodes, "nodes", 3, "number of nodes, without nodes in --config")
	c.Flags().StringVar(&f.prefix, "name-prefix", "sim", "nodes are called PREFIX-1, PREFIX-2 and so on")
	c.Flags().StringVar(&f.disk, "disk", "2Gi", "size of each node's image file system")
	c.Flags().StringVar(&f.otherUsed, "other-used", "0", "bytes of it that something else takes")
	c.Flags().StringVar(&f.listen, "listen", "", `IP address of the kubelets, or "auto" (default: a loopback address for each)`)
	c.Flags().IntVar(&f.speed, "speed", 1, "divide the kubelet's default periods by this")
	c.Flags().BoolVar(&f.taints, "manage-taints", false, "set node taints too, where no controller manager runs")
	c.Flags().StringVar(&f.caFile, "ca-out", "", "write the CA of the kubelets' serving certificates to this file")
	c.Flags().StringVar(&f.servingCA, "serving-ca", "", "CA that signs those certificates (default: a new one)")
	c.Flags().StringVar(&f.servingKey, "serving-ca-key", "", "key of --serving-ca")
	c.Flags().StringVar(&f.clientCA, "client-ca", "", "CA of client certificates that are believed, such as the API server's (default: tokens only)")
	c.MarkFlagsRequiredTogether("serving-ca", "serving-ca-key")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "say what the nodes do")
	return c
}

func (f *flags) run(c *cobra.Command) error {
	opts, err := f.options(c.Flags().Changed)
	if err != nil {
		return err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	opts.Config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	opts.Logger = logger(c.ErrOrStderr(), f.verbose)
	fleet, err := simnode.Start(c.Context(), opts)
	if err != nil {
		return err
	}
	defer fleet.Stop()
	if f.caFile != "" {
		if err := os.WriteFile(f.caFile, fleet.CAPEM(), 0o600); err != nil {
			return fmt.Errorf("--ca-out: %w", err)
		}
	}
	nodes := fleet.Nodes()
	_, _ = fmt.Fprintf(c.OutOrStdout(), "simnode: %d nodes Ready, %s (%s) to %s; interrupt to stop\n",
		len(nodes), nodes[0].Name(), nodes[0].URL(), nodes[len(nodes)-1].Name())
	<-c.Context().Done()
	return nil
}

// options merges the file and the flags.
func (f *flags) options(changed func(string) bool) (simnode.Options, error) {
	opts := simnode.Options{Images: simnode.DefaultCatalog()}
	if f.file != "" {
		document, err := os.ReadFile(f.file)
		if err != nil {
			return opts, fmt.Errorf("--config: %w", err)
		}
		if opts, err = simnode.ParseFile(document); err != nil {
			return opts, fmt.Errorf("--config %s: %w", f.file, err)
		}
	}
	if changed("speed") || opts.Speed == 0 {
		opts.Speed = f.speed
	}
	if changed("listen") {
		opts.ListenAddress = f.listen
	}
	if err := f.readAuthorities(&opts); err != nil {
		return opts, err
	}
	opts.ManageTaints = opts.ManageTaints || f.taints
	if len(opts.Nodes) > 0 {
		return opts, nil
	}
	var err error
	opts.Nodes, err = f.alike()
	return opts, err
}

// alike makes the nodes that --nodes, --disk and --other-used describe.
func (f *flags) alike() (nodes []simnode.NodeSpec, err error) {
	size, err := resource.ParseQuantity(f.disk)
	if err != nil || size.Sign() <= 0 {
		return nil, fmt.Errorf("--disk: %q is not a size such as 2Gi", f.disk)
	}
	other, err := resource.ParseQuantity(f.otherUsed)
	if err != nil || other.Sign() < 0 {
		return nil, fmt.Errorf("--other-used: %q is not a size such as 100Mi", f.otherUsed)
	}
	if f.nodes <= 0 {
		return nil, fmt.Errorf("--nodes: %d must be more than 0", f.nodes)
	}
	for i := range f.nodes {
		nodes = append(nodes, simnode.NodeSpec{
			Name: f.prefix + "-" + strconv.Itoa(i+1),
			Config: disk.Config{
				DiskBytes: size.Value(), OtherUsedBytes: other.Value(), PreloadedImages: []string{simnode.PauseImage},
			},
		})
	}
	return nodes, nil
}

// readAuthorities reads the PEM files that flags name.
func (f *flags) readAuthorities(opts *simnode.Options) error {
	for _, file := range []struct {
		flag, path string
		into       *[]byte
	}{
		{"serving-ca", f.servingCA, &opts.ServingCACertPEM},
		{"serving-ca-key", f.servingKey, &opts.ServingCAKeyPEM},
		{"client-ca", f.clientCA, &opts.ClientCAPEM},
	} {
		if file.path == "" {
			continue
		}
		content, err := os.ReadFile(file.path)
		if err != nil {
			return fmt.Errorf("--%s: %w", file.flag, err)
		}
		*file.into = content
	}
	return nil
}

func logger(out io.Writer, verbose bool) logr.Logger {
	verbosity := 0
	if verbose {
		verbosity = 1
	}
	return funcr.New(func(prefix, args string) { _, _ = fmt.Fprintln(out, "simnode:", prefix, args) }, funcr.Options{Verbosity: verbosity})
}
