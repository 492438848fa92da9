// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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

// runOptions are the command's flags.
type runOptions struct {
	rounds  int
	turn    time.Duration
	most    int
	results string
	// measure replaces one part of the results, or none of them where it fails.
	measure func(ctx context.Context, name string, part measure.Part, results *result.Results) error
}

func newRunCommand() *cobra.Command {
	o := runOptions{rounds: 5, turn: 3 * time.Second, most: 15000, results: resultsPath}
	o.measure = o.measurePart
	command := &cobra.Command{
		Use: "run [PART]...", ValidArgs: parts, Short: "Measure all parts, or the ones that are named, and write the page",
		Long: `Measure all parts, or the ones that are named: ` + strings.Join(parts, ", ") + `.
What was measured before of the others stays. A part that fails is left as it was.`,
		Args: cobra.MatchAll(cobra.OnlyValidArgs),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = parts
			}
			return o.run(command.Context(), args, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.IntVar(&o.rounds, "rounds", o.rounds, "How often everything gets its turn. Medians of less than 5 say little.")
	flags.DurationVar(&o.turn, "turn", o.turn, "How long one turn is measured.")
	flags.IntVar(&o.most, "most-nodes", o.most, "Leave out larger fleets.")
	flags.StringVar(&o.results, "results", o.results, "The file of raw numbers.")
	return command
}

func (o *runOptions) run(ctx context.Context, names []string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "headroom-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	results, err := result.Read(o.results)
	if err != nil {
		return err
	}
	part := measure.Part{Rounds: o.rounds, Out: os.Stderr, Dir: dir, Version: measure.Version(ctx)}
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
	fmt.Fprint(out, result.Table(results))
	if o.results != resultsPath {
		return failed
	}
	return errors.Join(failed, render())
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
