// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/engine"
	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// EngineOptions say how large the fleets are that policy engines look at.
type EngineOptions struct {
	Part

	Nodes []int
}

// Engines gives the rule to policy engines. One that can't be built or run here is noted with its error: the others count.
func Engines(ctx context.Context, o EngineOptions) (*result.Engines, error) {
	r := &result.Engines{Run: o.begin(), Missing: map[string]string{}}
	gator, err := o.build(ctx, "engine/gatekeeper", "github.com/open-policy-agent/gatekeeper/v3/cmd/gator", "gator")
	if err != nil {
		r.Missing[result.Gatekeeper] = firstLines(err)
		return r, ctx.Err()
	}
	err = o.turns(len(o.Nodes), func(round, i int) error {
		e, err := o.gatekeeper(ctx, gator, o.Nodes[i])
		if err != nil {
			return err
		}
		e.Round = round
		r.Samples = append(r.Samples, *e)
		o.say("round %d: gatekeeper, %d nodes: %.0f µs a decision, load %.1f", round+1, e.Nodes, e.DecisionMicroseconds(), process.LoadAverage())
		return nil
	})
	r.LoadAfter = process.LoadAverage()
	return r, err
}

// gatekeeper runs gator twice: the constraint is about pods, and about nothing.
func (o *EngineOptions) gatekeeper(ctx context.Context, gator string, nodes int) (*result.Engine, error) {
	dir := filepath.Join(o.Dir, fmt.Sprint("gatekeeper-", nodes))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	pods, err := engine.Write(dir, fleet.Of(nodes, fleet.NearlyFull))
	if err != nil {
		return nil, err
	}
	e := &result.Engine{Name: result.Gatekeeper, Nodes: nodes, Pods: pods}
	for aboutPods, seconds := range map[bool]*float64{true: &e.With, false: &e.Without} {
		if err := engine.WriteConstraint(filepath.Join(dir, "constraint.yaml"), aboutPods); err != nil {
			return nil, err
		}
		used, violations, err := runGator(ctx, gator, dir)
		if err != nil {
			return nil, err
		}
		*seconds = used.Seconds()
		e.Violations += violations
	}
	if e.Violations != pods {
		return nil, fmt.Errorf("gator found %d violations among %d pods over %d nodes that are all full: the rule is not the one meant", e.Violations, pods, nodes)
	}
	return e, nil
}

// runGator returns the processor time of a run, reading and loading everything too, and what the rule found.
func runGator(ctx context.Context, gator, dir string) (used time.Duration, violations int, err error) {
	command := exec.CommandContext(ctx, gator, "bench", "--filename="+dir, "--engine=rego", "--iterations=1", "--warmup=0", "--output=json")
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		return 0, 0, fmt.Errorf("gator bench: %w: %s", err, strings.TrimSpace(complaints.String()))
	}
	violations, err = engine.Violations(out.Bytes())
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime(), violations, err
}

// firstLines is an error for a page.
func firstLines(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	const most = 300
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return text
}
