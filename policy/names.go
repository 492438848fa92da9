// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/headroom-dev/headroom/imageref"
)

// The functions here say what is wrong with a name, "" for nothing.

// wrongLabelName is for names of namespaces.
func wrongLabelName(name string) string {
	if len(validation.IsDNS1123Label(name)) == 0 {
		return ""
	}
	return "must be a namespace's name: at most 63 lower-case letters, digits and '-', with a letter or digit at either end"
}

// wrongObjectName is for names of most objects in Kubernetes.
func wrongObjectName(name string) string {
	if len(validation.IsDNS1123Subdomain(name)) == 0 {
		return ""
	}
	return "must be a name as objects have it: lower-case letters, digits, '-' and '.', with a letter or digit at either end"
}

// wrongTaintKey is for the keys of taints, without value and effect.
func wrongTaintKey(key string) string {
	if len(validation.IsQualifiedName(key)) == 0 {
		return ""
	}
	return "must be the key of a taint alone, without value and effect, such as node.cilium.io/agent-not-ready"
}

// wrongRegistry is for hosts as image names have them.
func wrongRegistry(host string) string {
	ref, err := imageref.Parse(host + "/name")
	switch {
	case err != nil || strings.Contains(host, "/"):
		return "must be a registry's host name, with its port if it has one, such as ghcr.io or registry.example.com:5000"
	case ref.Host() != host:
		return "must be a registry's host name as image names have it: names that start like this are of " + ref.Host()
	default:
		return ""
	}
}
