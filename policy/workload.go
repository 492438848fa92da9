// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// WorkloadKind is a kind of object that holds the template of a pod, beyond those that Kubernetes has.
type WorkloadKind struct {
	// Group, Version and Kind are the objects' own; Resource is their kind in paths, in the plural.
	Group, Version, Kind, Resource string
	// Template is the path of fields that leads to the template, and Replicas that to the number of pods wanted.
	Template, Replicas []string
}

// APIVersion is the version as objects have it.
func (w *WorkloadKind) APIVersion() string { return w.Group + "/" + w.Version }

// WorkloadOf returns the entry for objects of this version and kind, nil where there is none. Another version of a kind may
// have its template elsewhere, so it is an entry of its own. It must not be changed.
func (p *Policy) WorkloadOf(group, version, kind string) *WorkloadKind {
	for i := range p.Workloads {
		if w := &p.Workloads[i]; w.Group == group && w.Version == version && w.Kind == kind {
			return w
		}
	}
	return nil
}

func workloadProperties() []property[WorkloadKind] {
	return []property[WorkloadKind]{
		{
			name: "apiVersion", kind: "`group/version`", required: true, meaning: "The objects' API version, such as `argoproj.io/v1alpha1`.",
			read: func(d *decoder, at place, w *WorkloadKind) { d.groupVersion(at, w) },
		},
		{
			name: "kind", kind: "text", required: true, meaning: "The objects' kind, such as `Rollout`.",
			read: func(d *decoder, at place, w *WorkloadKind) { d.word(at, &w.Kind, wrongKind) },
		},
		{
			name: "resource", kind: "text", required: true, meaning: "How paths of the API call them, such as `rollouts`.",
			read: func(d *decoder, at place, w *WorkloadKind) { d.word(at, &w.Resource, wrongResource) },
		},
		{
			name: "template", kind: "path of fields", preset: "spec.template", meaning: "Where their pod template is.",
			read: func(d *decoder, at place, w *WorkloadKind) { d.fieldPath(at, &w.Template) },
		},
		{
			name: "replicas", kind: "path of fields", preset: "spec.replicas",
			meaning: "Where the number of pods wanted is. An object without that field wants one.",
			read:    func(d *decoder, at place, w *WorkloadKind) { d.fieldPath(at, &w.Replicas) },
		},
	}
}

func (d *decoder) workloads(at place) []WorkloadKind {
	seen := map[string]bool{}
	return readList(d, at, func(at place) (WorkloadKind, bool) {
		w := WorkloadKind{Template: []string{"spec", "template"}, Replicas: []string{"spec", "replicas"}}
		before := len(d.mistakes)
		readObject(d, at, &w, workloadProperties())
		if len(d.mistakes) > before {
			return w, false
		}
		for _, name := range []string{w.APIVersion() + " " + w.Kind, w.APIVersion() + " " + w.Resource} {
			if seen[name] {
				d.mistake(at, field.Duplicate(at.path, name))
				return w, false
			}
			seen[name] = true
		}
		return w, true
	})
}

// groupVersion refuses the API groups whose workloads are looked at without being asked.
func (d *decoder) groupVersion(at place, into *WorkloadKind) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	group, version, found := strings.Cut(text, "/")
	switch {
	case text == "v1" || slices.Contains([]string{"apps", "batch"}, group):
		d.invalid(at, "must not be a group that Kubernetes itself has: its workloads are looked at anyway")
	case !found || len(validation.IsDNS1123Subdomain(group)) > 0 || len(validation.IsDNS1035Label(version)) > 0:
		d.invalid(at, "must be a group and a version, such as argoproj.io/v1alpha1")
	default:
		into.Group, into.Version = group, version
	}
}

// word reads a text that check accepts; its answer says what is wrong, "" for nothing.
func (d *decoder) word(at place, into *string, check func(string) string) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	if wrong := check(text); wrong != "" {
		d.invalid(at, wrong)
		return
	}
	*into = text
}

func wrongKind(kind string) string {
	if len(validation.IsDNS1035Label(strings.ToLower(kind))) == 0 {
		return ""
	}
	return "must be a kind as objects have it, such as Rollout"
}

func wrongResource(resource string) string {
	if len(validation.IsDNS1035Label(resource)) == 0 {
		return ""
	}
	return "must be a resource as paths of the API have it, such as rollouts: lower-case, in the plural, without its group"
}

// fieldName is a field as schemas of CRDs have them.
var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,62}$`)

// fieldPath reads names of fields with dots between them. Lists can't be walked into.
func (d *decoder) fieldPath(at place, into *[]string) {
	const longest = 16
	text, ok := d.text(at)
	if !ok {
		return
	}
	fields := strings.Split(text, ".")
	wrong := func(name string) bool { return !fieldName.MatchString(name) }
	if slices.ContainsFunc(fields, wrong) || len(fields) > longest {
		d.invalid(at, fmt.Sprintf("must be at most %d names of fields with dots between them, such as spec.template", longest))
		return
	}
	*into = fields
}
