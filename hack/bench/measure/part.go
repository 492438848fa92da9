// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// Part is what the parts of a benchmark share.
type Part struct {
	// Rounds is how often everything gets its turn.
	Rounds int
	// Out gets a line for each step.
	Out io.Writer
	// Dir is a folder for what is built and written meanwhile.
	Dir string
	// Version is what is measured.
	Version string
}

func (p *Part) say(format string, args ...any) {
	fmt.Fprintf(p.Out, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

// begin notes when and where.
func (p *Part) begin() result.Run {
	return result.Run{At: time.Now().UTC().Truncate(time.Second), Version: p.Version, Machine: process.ThisMachine(), LoadBefore: process.LoadAverage()}
}

// Version is that of the source tree, with "-dirty" where something is not committed: but for the page and its appendix, which
// measuring writes.
func Version(ctx context.Context) string {
	const unknown = "unknown"
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	version, err := git("describe", "--tags", "--always")
	if err != nil {
		return unknown
	}
	changed, err := git("status", "--porcelain", "--", ":/", ":(top,exclude)docs/performance.*")
	switch {
	case err != nil:
		return unknown
	case changed != "":
		return version + "-dirty"
	default:
		return version
	}
}

// turns calls f for each of n in each round, forwards and backwards by turns: what drifts, such as the machine's temperature
// and its other tenants, so hits all of them.
func (p *Part) turns(n int, f func(round, i int) error) error {
	for round := range p.Rounds {
		for i := range n {
			if round%2 == 1 {
				i = n - 1 - i
			}
			if err := f(round, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// serverCores and loadCores split the processors: the load generator has the last one for itself. Both are empty, which means
// all, where there is but one.
func serverCores() []int {
	var cores []int
	for i := range runtime.NumCPU() - 1 {
		cores = append(cores, i)
	}
	return cores
}

func loadCores() []int {
	if n := runtime.NumCPU(); n > 1 {
		return []int{n - 1}
	}
	return nil
}

// build builds a main package of the module in a folder, and returns the program's path.
func (p *Part) build(ctx context.Context, module, pkg, name string) (string, error) {
	path := filepath.Join(p.Dir, name)
	command := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
	command.Dir = module
	command.Env = append(os.Environ(), "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

// buildHeadroom builds the program. A release's flags, which strip it, change nothing that is measured.
func (p *Part) buildHeadroom(ctx context.Context) (string, error) {
	return p.build(ctx, "../..", "./cmd/headroom", "headroom")
}
