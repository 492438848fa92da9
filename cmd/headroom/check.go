// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/policy"
)

func newCheckCommand() *cobra.Command {
	c := &checkRun{live: liveOptions{listed: true}, format: outputTable}
	command := &cobra.Command{
		Use:   "check -f FILE|DIR|-",
		Short: "Say what would become of the pods in manifest files",
		Long: `Say what would become of each pod and workload template in manifest files, by
the same decision that the webhook makes. Nothing is created, and no webhook is
needed.

An AdmissionReview (admission.k8s.io/v1) is judged as the webhook judges that
very request: updates, kubectl debug, bindings, the policy. A recording of
"headroom serve --record" is answered again by what was known then, without a
cluster; --snapshot judges other files by what a recording knew.

Exit code 0: everything fits, or an exception of the policy lets it through. 1:
something is at or past the policy's denyAt. 2: it could not run, or could not
read all of it, or a recording is answered otherwise than it was.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.run(command.Context(), command.InOrStdin(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	c.live.addFlags(command.Flags())
	command.Flags().StringVarP(&c.live.connection.namespace, "namespace", "n", "", "Namespace of objects that name none. Empty means the kubeconfig's.")
	command.Flags().StringArrayVarP(&c.paths, "filename", "f", nil, "File, folder or - for stdin with the manifests, admission reviews or recordings. May be given several times.")
	command.Flags().StringVar(&c.snapshot, "snapshot", "", "Recording by whose knowledge to judge, instead of a look at the cluster.")
	command.Flags().VarP(&c.format, "output", "o", "Output format: table, json or yaml.")
	return command
}

// checkRun is one run of the command.
type checkRun struct {
	live     liveOptions
	paths    []string
	snapshot string
	format   outputFormat
	// problems counts what was written to stderr as an error.
	problems int
}

func (c *checkRun) run(ctx context.Context, in io.Reader, out, notes io.Writer) error {
	if len(c.paths) == 0 {
		return errors.New("nothing to check: name a file, a folder or - with -f")
	}
	read := readManifests(c.paths, in, c.live.connection.defaultNamespace())
	c.tell(notes, read.problems...)
	if len(read.pods)+len(read.custom)+len(read.reviews) == 0 && c.problems > 0 {
		return &exitError{code: exitFailed}
	}
	now, err := c.known(ctx, &read, notes)
	if err != nil {
		return err
	}
	report := checkReport{Results: []checkResult{}}
	overloads := false
	if now != nil {
		var invalid []error
		report, overloads, invalid = checkPods(now, read.pods)
		c.tell(notes, invalid...)
	}
	reviewed, sentBack := c.reviews(ctx, read.reviews, now, notes)
	report.Results, overloads = append(report.Results, reviewed...), overloads || sentBack
	if err := c.format.write(out, report, report.table); err != nil {
		return err
	}
	switch {
	case c.problems > 0:
		return &exitError{code: exitFailed}
	case overloads:
		return &exitError{code: exitOverloads}
	}
	return nil
}

// reviews answers admission reviews: recordings by what they know, unless another one is to be used.
func (c *checkRun) reviews(ctx context.Context, all []reviewSource, now *moment, notes io.Writer) (results []checkResult, overloads bool) {
	for i := range all {
		review := &all[i]
		m, replayed := now, false
		if c.snapshot == "" && review.then != nil {
			m, replayed = review.then, true
		}
		if !replayed && review.looksAtWorkloads() {
			fmt.Fprintf(notes, "note: %v\n", review.document.problem(errors.New("what the change would do to workloads is not looked at: only a recording knows those")))
		}
		result, over, problem := review.judge(ctx, m, replayed)
		if problem != nil {
			c.tell(notes, problem)
		}
		overloads = overloads || over
		results = append(results, result)
	}
	return results, overloads
}

func (c *checkRun) tell(notes io.Writer, problems ...error) {
	for _, problem := range problems {
		fmt.Fprintln(notes, "error:", problem)
	}
	c.problems += len(problems)
}

// known is what the files are judged by; nil where all of them are recordings, which know that themselves.
func (c *checkRun) known(ctx context.Context, read *manifests, notes io.Writer) (*moment, error) {
	about := func(p *policy.Policy) ([]imageref.Ref, []string) {
		c.tell(notes, read.resolve(p)...)
		pods := slices.Clone(read.pods)
		namespaces := namespacesOf(pods)
		for i := range read.reviews {
			pods = append(pods, read.reviews[i].podsIn()...)
			namespaces = append(namespaces, read.reviews[i].review.Request.Namespace)
		}
		return imagesOf(pods), namespaces
	}
	if c.snapshot != "" {
		return c.recorded(about, notes)
	}
	recordings := !slices.ContainsFunc(read.reviews, func(r reviewSource) bool { return r.then == nil })
	if len(read.pods)+len(read.custom) == 0 && len(read.reviews) > 0 && recordings {
		return nil, nil
	}
	c.live.about = about
	return c.live.look(ctx, notes)
}

// recorded is what the recording of --snapshot knows.
func (c *checkRun) recorded(about func(*policy.Policy) ([]imageref.Ref, []string), notes io.Writer) (*moment, error) {
	body, err := os.ReadFile(c.snapshot)
	if err != nil {
		return nil, fmt.Errorf("--snapshot: %w", err)
	}
	source, found, err := reviewIn(body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--snapshot: %s: %w", c.snapshot, err)
	case !found || source.then == nil:
		return nil, fmt.Errorf("--snapshot: %s is no recording: headroom serve --record writes them", c.snapshot)
	case source.then.snapshot == nil:
		return nil, fmt.Errorf("--snapshot: %s is about a request for which no node was looked at: take another recording", c.snapshot)
	}
	_, namespaces := about(source.then.policy)
	slices.Sort(namespaces)
	for _, namespace := range slices.Compact(namespaces) {
		if _, asked := source.then.modes[namespace]; !asked && namespace != "" {
			fmt.Fprintf(notes, "note: the recording does not say whether namespace %s had the label %s: taken for none\n", namespace, policy.ModeLabel)
		}
	}
	return source.then, nil
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

func checkPods(cluster *moment, pods []podSource) (report checkReport, overloads bool, invalid []error) {
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
