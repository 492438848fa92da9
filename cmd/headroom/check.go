// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// checkResult is one pod or template in the output of `headroom check`: a
// documented API.
type checkResult struct {
	Kind       string          `json:"kind"`
	Namespace  string          `json:"namespace"`
	Name       string          `json:"name"`
	Verdict    verdict.Verdict `json:"verdict"`
	Action     fit.Action      `json:"action"`
	NeedBytes  estimate.Bytes  `json:"needBytes"`
	Candidates int             `json:"candidates"`
	Message    string          `json:"message"`
}

type checkReport struct {
	Results []checkResult `json:"results"`
}

func newCheckCommand() *cobra.Command {
	var (
		live  = liveOptions{listed: true}
		paths []string
	)
	format := outputTable
	command := &cobra.Command{
		Use:   "check -f FILE|DIR|-",
		Short: "Say what would become of the pods in manifest files",
		Long: `Say what would become of each pod and workload template in manifest files, by
the same decision that the webhook makes. Nothing is created, and no webhook is
needed.

Exit code 0: everything fits, or an exception of the policy lets it through. 1:
something is at or past the policy's denyAt. 2: it could not run, or could not
read all of it.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if len(paths) == 0 {
				return errors.New("nothing to check: name a file, a folder or - with -f")
			}
			read := readManifests(paths, command.InOrStdin(), live.connection.defaultNamespace())
			for _, problem := range read.problems {
				fmt.Fprintln(command.ErrOrStderr(), "error:", problem)
			}
			if len(read.pods)+len(read.custom) == 0 && len(read.problems) > 0 {
				return &exitError{code: exitFailed}
			}
			live.about = func(p *policy.Policy) ([]imageref.Ref, []string) {
				for _, problem := range read.resolve(p) {
					fmt.Fprintln(command.ErrOrStderr(), "error:", problem)
				}
				return imagesOf(read.pods), namespacesOf(read.pods)
			}
			cluster, err := live.look(command.Context(), command.ErrOrStderr())
			if err != nil {
				return err
			}
			report, overloads, invalid := checkPods(cluster, read.pods)
			for _, problem := range invalid {
				fmt.Fprintln(command.ErrOrStderr(), "error:", problem)
			}
			if err := format.write(command.OutOrStdout(), report, report.table); err != nil {
				return err
			}
			switch {
			case len(read.problems)+len(invalid) > 0:
				return &exitError{code: exitFailed}
			case overloads:
				return &exitError{code: exitOverloads}
			}
			return nil
		},
	}
	live.addFlags(command.Flags())
	command.Flags().StringArrayVarP(&paths, "filename", "f", nil, "File, folder or - for stdin with the manifests. May be given several times.")
	command.Flags().VarP(&format, "output", "o", "Output format: table, json or yaml.")
	return command
}

func imagesOf(pods []podSource) []imageref.Ref {
	var refs []imageref.Ref
	for _, p := range pods {
		for _, image := range p.request.Images {
			refs = append(refs, image.Ref)
		}
	}
	return refs
}

func namespacesOf(pods []podSource) []string {
	names := make([]string, 0, len(pods))
	for _, p := range pods {
		names = append(names, p.namespace)
	}
	return names
}

func checkPods(cluster *liveCluster, pods []podSource) (report checkReport, overloads bool, invalid []error) {
	report.Results = []checkResult{}
	for i := range pods {
		p := &pods[i]
		request := p.request
		request.NamespaceMode = cluster.modes[p.namespace]
		decision := fit.Evaluate(cluster.snapshot, request, cluster.policy, cluster.now)
		overloads = overloads || decision.Exception == "" && decision.Verdict.AtLeast(cluster.policy.DenyAt)
		for _, image := range decision.Invalid {
			invalid = append(invalid, fmt.Errorf("%s %s/%s: %s: %w", p.kind, p.namespace, p.name, image.Field, image.Err))
		}
		if decision.LeftOut > 0 {
			invalid = append(invalid, fmt.Errorf("%s %s/%s: it has too many images: %d of them are not looked at", p.kind, p.namespace, p.name, decision.LeftOut))
		}
		report.Results = append(report.Results, checkResult{
			Kind: p.kind, Namespace: p.namespace, Name: p.name,
			Verdict: decision.Verdict, Action: decision.Action,
			NeedBytes: decision.Need, Candidates: decision.Possible, Message: decision.Message,
		})
	}
	return report, overloads, invalid
}

func (r checkReport) table(w io.Writer) {
	row(w, "KIND", "NAMESPACE", "NAME", "VERDICT", "ACTION", "NEEDS", "NODES", "WHY")
	for _, c := range r.Results {
		row(w, c.Kind, c.Namespace, c.Name, string(c.Verdict), string(c.Action), c.needs(), strconv.Itoa(c.Candidates), c.Message)
	}
}

// needs is the need for people: what nobody knows is no estimate of zero.
func (c checkResult) needs() string {
	switch unbounded := c.NeedBytes.High == math.MaxInt64; {
	case unbounded && c.NeedBytes.Likely == 0:
		return "?"
	case unbounded:
		return c.NeedBytes.String() + " or more"
	default:
		return c.NeedBytes.String()
	}
}
