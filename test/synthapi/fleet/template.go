// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
)

// daemonSets is how many of the templates are of DaemonSets: the first ones.
const daemonSets = 6

// template is what pods are made of.
type template struct {
	index           int
	namespace, name string
	// apiVersion, kind and owner are of what controls the pods.
	apiVersion, kind, owner, ownerUID string
	hash                              string // of the template, part of the owner's name
	images                            []int  // of the catalog, one for each container; the first initImages are pulled before
	initImages                        int
	stencils                          [phases]stencil
}

// newTemplate draws the i-th template.
func newTemplate(o *Options, i int) *template {
	draw := func(n, about int) int { return drawn(n, o.Seed, 20, i, about) }
	hash := make([]byte, 10)
	putHex(hash, mix(mix(o.Seed, 21), uint64(i))) //nolint:gosec // any bits will do
	owner := make([]byte, 36)
	putUID(owner, mix(mix(o.Seed, 22), uint64(i))) //nolint:gosec // any bits will do
	t := &template{
		index: i, hash: string(hash), ownerUID: string(owner),
		namespace: fmt.Sprintf("team-%03d", draw(o.Namespaces, 1)),
		name:      fmt.Sprintf("%s-%04d", []string{"api", "worker", "frontend", "consumer", "cache", "scorer"}[draw(6, 2)], i),
	}
	containers := 1 + draw(2, 3)
	switch kind := draw(10, 4); {
	case i < daemonSets:
		t.namespace, t.name = "kube-system", fmt.Sprintf("node-agent-%04d", i)
		t.apiVersion, t.kind, t.owner = appsv1.SchemeGroupVersion.String(), "DaemonSet", t.name
	case kind < 7:
		t.apiVersion, t.kind, t.owner = appsv1.SchemeGroupVersion.String(), "ReplicaSet", t.name+"-"+t.hash
	case kind < 9:
		t.apiVersion, t.kind, t.owner = appsv1.SchemeGroupVersion.String(), "StatefulSet", t.name
	default:
		t.apiVersion, t.kind, t.owner = batchv1.SchemeGroupVersion.String(), "Job", t.name
	}
	if draw(3, 5) == 0 {
		t.initImages = 1
	}
	for k := range containers + t.initImages {
		t.images = append(t.images, popular(o.Seed, i, k))
	}
	return t
}

// popular draws an image: of many templates' containers the image is one of few, such as a proxy's.
func popular(seed uint64, template, container int) int {
	if container > 0 && drawn(2, seed, 23, template, container) == 0 {
		return catalogImages/2 + drawn(12, seed, 24, template, container)
	}
	return drawn(catalogImages, seed, 25, template, container)
}

// podPrefix is what the names of its pods begin with.
func (t *template) podPrefix() string { return t.owner + "-" }
