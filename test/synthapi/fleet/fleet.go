// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import "fmt"

// Fleet is a cluster's nodes and pods.
type Fleet struct {
	options   Options
	catalog   []image // the largest first
	templates []*template
	pools     []*pool
	// daemons is how many DaemonSets there are.
	daemons int
}

// New makes a fleet. It takes some 100 ms, and 20 KB for each template.
func New(o Options) (*Fleet, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	f := &Fleet{options: o}
	if o.Nodes > 0 {
		f.daemons = min(daemonSets, o.Pods/o.Nodes/4)
	}
	var err error
	if f.catalog, err = newCatalog(o.Seed); err != nil {
		return nil, err
	}
	for i := range o.Templates {
		f.templates = append(f.templates, newTemplate(&f.options, i))
	}
	if err := f.encodeTemplates(); err != nil {
		return nil, err
	}
	if err := f.encodePools(); err != nil {
		return nil, err
	}
	return f, nil
}

// Namespaces are those that pods are in.
func (f *Fleet) Namespaces() []string {
	names := []string{"kube-system"}
	for i := range f.options.Namespaces {
		names = append(names, fmt.Sprintf("team-%03d", i))
	}
	return names
}

// Image is an image that a place's pods have: the first of their containers.
func (f *Fleet) Image(place int) string { return f.catalog[f.templateOf(place).images[0]].name() }
