// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/hack/bench/measure"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// The page and its appendix, from hack/bench.
const (
	pagePath    = "../../docs/performance.md"
	resultsPath = "../../docs/performance.json"
)

// parts are measured in this order.
var parts = []string{"requests", "decisions", "engines", "apiserver", "service"}

// runOptions are the command's flags.
type runOptions struct {
	rounds  int
	turn    time.Duration
	most    int
	results string
}

func newRunCommand() *cobra.Command {
	o := runOptions{rounds: 5, turn: 3 * time.Second, most: 15000, results: resultsPath}
	command := &cobra.Command{
		Use: "run [PART]...", ValidArgs: parts, Short: "Measure all parts, or the ones that are named, and write the page",
		Long: `Measure all parts, or the ones that are named: ` + strings.Join(parts, ", ") + `.
What was measured before of the others stays. A part that fails is left as it was.`,
		Args: cobra.MatchAll(cobra.OnlyValidArgs),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = parts
			}
			return o.run(command.Context(), args)
		},
	}
	flags := command.Flags()
	flags.IntVar(&o.rounds, "rounds", o.rounds, "How often everything gets its turn. Medians of less than 5 say little.")
	flags.DurationVar(&o.turn, "turn", o.turn, "How long one turn is measured.")
	flags.IntVar(&o.most, "most-nodes", o.most, "Leave out larger fleets.")
	flags.StringVar(&o.results, "results", o.results, "The file of raw numbers.")
	return command
}

func (o *runOptions) run(ctx context.Context, names []string) (err error) {
	dir, err := os.MkdirTemp("", "headroom-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	results, err := result.Read(o.results)
	if err != nil {
		return err
	}
	part := measure.Part{Rounds: o.rounds, Out: os.Stderr, Dir: dir}
	var failed error
	for _, name := range names {
		if err := o.measure(ctx, name, part, results); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		// At once: what was measured is not lost by what comes after it.
		if err := results.Write(o.results); err != nil {
			return err
		}
	}
	fmt.Print(result.Table(results))
	if o.results != resultsPath {
		return failed
	}
	return errors.Join(failed, render())
}

// measure replaces one part of the results.
func (o *runOptions) measure(ctx context.Context, name string, part measure.Part, results *result.Results) (err error) {
	at := slices.Index(parts, name)
	fmt.Fprintf(os.Stderr, "== %s (%d of %d)\n", name, at+1, len(parts))
	switch name {
	case "requests":
		measured, err := measure.Requests(ctx, fullRequests(part, o.turn, o.most))
		if err == nil {
			results.Requests = measured
		}
		return err
	case "decisions":
		measured, err := measure.Decisions(ctx, measure.DecisionOptions{Part: part, Fleets: decisionFleets(o.most), Duration: o.turn})
		if err == nil {
			results.Decisions = measured
		}
		return err
	case "engines":
		measured, err := measure.Engines(ctx, measure.EngineOptions{Part: part, Nodes: upTo(o.most, 1000, 5000)})
		if err == nil {
			results.Engines = measured
		}
		return err
	case "apiserver":
		measured, err := measure.APIServer(ctx, measure.APIServerOptions{Part: part, Nodes: min(1000, o.most), Rate: 100, Duration: 3 * o.turn})
		if err == nil {
			results.APIServer = measured
		}
		return err
	default:
		measured, err := measure.Service(ctx, measure.ServiceOptions{Part: part, Sizes: sizes(o.most), Duration: 3 * o.turn, Informers: true})
		if err == nil {
			results.Service = measured
		}
		return err
	}
}

func newRenderCommand() *cobra.Command {
	return &cobra.Command{
		Use: "render", Args: cobra.NoArgs, Short: "Write docs/performance.md from docs/performance.json",
		RunE: func(*cobra.Command, []string) error { return render() },
	}
}

func render() error {
	results, err := result.Read(resultsPath)
	if err != nil {
		return err
	}
	page, err := result.Render(results)
	if err != nil {
		return err
	}
	return os.WriteFile(pagePath, []byte(page), 0o644) //nolint:gosec // G306: it is documentation
}
