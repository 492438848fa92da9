// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/registry"
)

// registryOptions say whether and how registries are asked for sizes and layers.
type registryOptions struct {
	mode        string // on | off
	endpoints   []string
	tagTTL      time.Duration
	credentials string // a file, "" for none
	store       string // a file, "" for memory only
}

func newRegistryOptions() registryOptions {
	return registryOptions{mode: "on", tagTTL: 10 * time.Minute}
}

func (o *registryOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.mode, "registry", o.mode, "Whether registries of the policy's list are asked for the sizes and layers of images that pods want or nodes list: on or off.")
	flags.StringArrayVar(&o.endpoints, "registry-endpoint", nil, "HOST=URL: ask URL in place of HOST, for mirrors and plain-HTTP registries. Lists HOST, too. May be given several times.")
	flags.StringVar(&o.credentials, "registry-credentials", o.credentials, "A docker config.json with credentials for registries. Only its auths are used, programs that it names are refused. Read again when it changes. Without it, registries are asked anonymously.")
	flags.StringVar(&o.store, "size-store", o.store, "A file to keep what registries told of digests in, so that a restart need not ask again. Without it, that is kept in memory only.")
	flags.DurationVar(&o.tagTTL, "registry-tag-ttl", o.tagTTL, "How long a tag's answer counts before the registry is asked again. A digest's counts for ever.")
}

func (o *registryOptions) validate() error {
	var errs []error
	if o.mode != "on" && o.mode != "off" {
		errs = append(errs, fmt.Errorf("--registry: must be on or off, got %q", o.mode))
	}
	if o.tagTTL <= 0 {
		errs = append(errs, fmt.Errorf("--registry-tag-ttl: must be positive, got %v", o.tagTTL))
	}
	_, err := o.parseEndpoints()
	return errors.Join(append(errs, err)...)
}

func (o *registryOptions) parseEndpoints() (map[string]registry.Endpoint, error) {
	endpoints := map[string]registry.Endpoint{}
	for _, text := range o.endpoints {
		host, endpoint, err := registry.ParseEndpoint(text)
		if err != nil {
			return nil, fmt.Errorf("--registry-endpoint: %w", err)
		}
		endpoints[host] = endpoint
	}
	return endpoints, nil
}

// resolver makes the resolver; nil when registries are not to be asked. What is wrong
// with a file, but no reason to end, is told to problem, then and later.
func (o *registryOptions) resolver(current func() *policy.Policy, sink registry.Sink, maxWaiters int, problem func(error)) (*registry.Resolver, error) {
	if o.mode == "off" {
		return nil, nil
	}
	endpoints, err := o.parseEndpoints()
	if err != nil {
		return nil, err
	}
	options := registry.Options{
		Allowed:    func(host string) bool { return slices.Contains(current().Registries, host) },
		Endpoints:  endpoints,
		TagTTL:     o.tagTTL,
		MaxWaiters: maxWaiters,
		UserAgent:  "headroom/" + version,
	}
	if o.credentials != "" {
		credentials, err := registry.OpenCredentials(o.credentials, problem)
		if err != nil {
			return nil, fmt.Errorf("--registry-credentials: %w", err)
		}
		options.Keychain = credentials
	}
	if o.store != "" {
		if options.Store, err = registry.OpenStore(o.store, registry.StoreOptions{Failed: problem}); err != nil {
			problem(err)
		}
	}
	return registry.New(options, sink)
}

// oneShotWait bounds how long a one-shot command waits for registries.
const oneShotWait = 15 * time.Second

// resolve asks registries for the layers of images.
func (o *registryOptions) resolve(ctx context.Context, l *ledger.Ledger, p *policy.Policy, images []imageref.Ref, notes io.Writer) error {
	platforms := l.Snapshot().Platforms()
	wanted := unlayered(l.Snapshot(), images)
	if len(wanted) == 0 {
		return nil
	}
	resolver, err := o.ask(ctx, l, p, wanted, platforms, notes)
	if err != nil || resolver == nil {
		return err
	}
	for _, ref := range wanted {
		if sized(l.Snapshot(), p, ref) {
			continue // by nodes that have it, or by the policy
		}
		for _, platform := range platforms {
			if _, err := resolver.State(ref, platform); err != nil {
				fmt.Fprintf(notes, "note: size not known: %s: %v\n", ref.Familiar(), err)
				break
			}
		}
	}
	return nil
}

// ask asks for images and waits for the answers, with a limit. It returns nil where registries are not to be asked.
func (o *registryOptions) ask(ctx context.Context, l *ledger.Ledger, p *policy.Policy, wanted []imageref.Ref, platforms []imagesize.Platform, notes io.Writer) (*registry.Resolver, error) {
	resolver, err := o.resolver(func() *policy.Policy { return p }, l, 1, func(err error) { fmt.Fprintf(notes, "note: %v\n", err) })
	if err != nil || resolver == nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, oneShotWait)
	defer cancel()
	done := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { done <- resolver.Run(running) }()
	for _, ref := range wanted {
		resolver.Want(ref, platforms...)
	}
	resolver.Wait(ctx, wanted, platforms)
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return resolver, nil
}

// maxListedAsked bounds the images that one run asks for: the resolver's queue takes 1000.
const maxListedAsked = 1000

// resolveListed asks registries for the layers of the images that nodes list or pull, those that most nodes have first.
func (o *registryOptions) resolveListed(ctx context.Context, l *ledger.Ledger, p *policy.Policy, notes io.Writer) error {
	platforms, wanted := l.Snapshot().Platforms(), onNodes(l.Snapshot())
	asked := wanted[:min(len(wanted), maxListedAsked)]
	if len(asked) == 0 {
		return nil
	}
	resolver, err := o.ask(ctx, l, p, asked, platforms, notes)
	if err != nil || resolver == nil {
		return err
	}
	unknown := len(wanted) - len(asked)
	for _, ref := range asked {
		if !slices.ContainsFunc(platforms, func(platform imagesize.Platform) bool {
			answered, err := resolver.State(ref, platform)
			return answered && err == nil
		}) {
			unknown++
		}
	}
	if unknown > 0 {
		fmt.Fprintf(notes, "note: no registry told the layers of %d of %d images\n", unknown, len(wanted))
	}
	return nil
}

// onNodes are the images that nodes list, each by one digest, and others of pods there, those on most nodes first.
func onNodes(s *ledger.Snapshot) []imageref.Ref {
	counts := map[imageref.Ref]int{}
	for node := range s.Nodes() {
		for listed := range node.Images() {
			if refs := listed.Refs; slices.ContainsFunc(refs, byDigest) {
				counts[firstOf(refs, byDigest)]++
			}
		}
		for pod := range node.Pods() {
			for i := range pod.Images {
				if _, listed := node.Listed(pod.Images[i].Ref); !listed && !pod.Finished {
					counts[pod.Images[i].Ref]++
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(counts), func(a, b imageref.Ref) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a.String(), b.String()))
	})
}

// sized reports whether the size of an image is known for every node.
func sized(s *ledger.Snapshot, p *policy.Policy, ref imageref.Ref) bool {
	for row := range s.Nodes() {
		if !fit.ImageSize(s, row, ref, p).Known() {
			return false
		}
	}
	return true
}

// unlayered are the images of which it is not known for some platform what layers
// they have, in order, each once.
func unlayered(s *ledger.Snapshot, images []imageref.Ref) []imageref.Ref {
	var wanted []imageref.Ref
	for _, ref := range images {
		lacks := func(p imagesize.Platform) bool { return !s.Evidence(ref, "", p).Manifest.Layered() }
		if !slices.Contains(wanted, ref) && slices.ContainsFunc(s.Platforms(), lacks) {
			wanted = append(wanted, ref)
		}
	}
	return wanted
}
