// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"errors"
	"fmt"
)

// Epoch is when everything was made that there is at first: 2026-01-05 09:00 UTC.
const Epoch = 1_767_603_600

// FirstVersion is the resource version of the first of these objects, and MaxVersion the last that fits.
const (
	FirstVersion uint64 = 1_000_000_000
	MaxVersion   uint64 = 9_999_999_999
)

// Options say what a fleet is like. The zero value of each but Nodes and Pods means its default.
type Options struct {
	// Seed makes one fleet differ from another.
	Seed uint64
	// Nodes and Pods are how many there are. Pods are spread evenly.
	Nodes, Pods int
	// ImagesPerNode is how many images a node lists: 50 unless told, as kubelets do by default. Nodes whose pods have fewer list
	// others that were left behind.
	ImagesPerNode int
	// Templates is how many workloads the pods are of: 400 unless told.
	Templates int
	// Namespaces is how many those are spread over: 40 unless told.
	Namespaces int
	// KubeletPort is the port that nodes name: 10250 unless told. Their addresses are on loopback, one for each node, so that
	// a listener on all of loopback knows by its own address which node is meant, see NodeAddress.
	KubeletPort int32
}

const (
	maxNodes     = 1_000_000 // names have six digits
	maxPods      = suffixes / lives
	maxImages    = 1000
	maxTemplates = 20_000
)

// complete sets defaults and reports every mistake.
func (o *Options) complete() error {
	if o.ImagesPerNode == 0 {
		o.ImagesPerNode = 50
	}
	if o.Templates == 0 {
		o.Templates = 400
	}
	if o.Namespaces == 0 {
		o.Namespaces = 40
	}
	if o.KubeletPort == 0 {
		o.KubeletPort = 10250
	}
	var errs []error
	for _, v := range []struct {
		what               string
		value, least, most int
	}{
		{"nodes", o.Nodes, 0, maxNodes},
		{"pods", o.Pods, 0, maxPods},
		{"images per node", o.ImagesPerNode, 1, maxImages},
		{"templates", o.Templates, daemonSets + 1, maxTemplates},
		{"namespaces", o.Namespaces, 1, 10_000},
		{"kubelet port", int(o.KubeletPort), 1, 65535},
	} {
		if v.value < v.least || v.value > v.most {
			errs = append(errs, fmt.Errorf("%s: %d must be from %d to %d", v.what, v.value, v.least, v.most))
		}
	}
	if o.Pods > 0 && o.Nodes == 0 {
		errs = append(errs, errors.New("pods: they need at least one node"))
	}
	return errors.Join(errs...)
}
