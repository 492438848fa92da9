// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/distribution/reference"
)

func TestNamesThatAreCanonicalAsTheyAre(t *testing.T) {
	long := strings.Repeat("a", 128)
	for name, want := range map[string]bool{
		"registry.example.com/team/app:v1.27.3":            true,
		"registry.k8s.io/pause:3.10":                       true,
		"10.0.0.1:5000/a/b__c-d---e.f:Tag_1.x-y":           true,
		"ghcr.io/a/b@" + digest:                            true,
		"registry.example.com/a:" + long:                   true,
		"registry.example.com/a:" + long + "a":             false,
		"registry.example.com/" + long + "/" + long + ":1": false,
		"nginx:1":                                  false,
		"team/app:1":                               false,
		"docker.io/library/nginx:1":                false,
		"index.docker.io/a:1":                      false,
		"localhost/a:1":                            false,
		"registry.example.com/a":                   false,
		"registry.example.com/a:1@" + digest:       false,
		"registry.example.com/A:1":                 false,
		"registry.example.com/a//b:1":              false,
		"registry.example.com/a..b:1":              false,
		"registry.example.com/a___b:1":             false,
		"registry.example.com/a-:1":                false,
		"registry.example.com/a.-b:1":              false,
		"registry.example.com/a/:1":                false,
		"registry.example.com/:1":                  false,
		"registry.example.com/a:.1":                false,
		"registry.example.com/a:":                  false,
		"registry.example.com:/a:1":                false,
		"registry..com/a:1":                        false,
		"registry.-a.com/a:1":                      false,
		"ghcr.io/a@sha256:" + strings.ToUpper(hex): false,
		"ghcr.io/a@sha512:" + hex + hex:            false,
	} {
		if got := isCanonical(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
		asIs(t, name)
	}
}

// asIs checks that the reference package agrees where a name is said to be canonical.
func asIs(t *testing.T, name string) (is bool) {
	t.Helper()
	if !isCanonical(name) {
		return false
	}
	named, err := reference.ParseDockerRef(name)
	if err != nil || named.String() != name {
		t.Errorf("%q is taken as it is: it is %v, %v", name, named, err)
	}
	return true
}

// TestPiecedNames puts names together of what names are made of.
func TestPiecedNames(t *testing.T) {
	pieces := []string{"a", "b1", "Z", ".", "-", "_", "__", "/", ":", "@", "example.com", "docker.io", "5000", "v1", "sha256:", hex, strings.Repeat("x", 60)}
	random := rand.New(rand.NewPCG(1, 2))
	canonical := 0
	for range 200_000 {
		var name strings.Builder
		if random.IntN(2) == 0 {
			name.WriteString("r.io/")
		}
		for range 1 + random.IntN(7) {
			name.WriteString(pieces[random.IntN(len(pieces))])
		}
		if asIs(t, name.String()) {
			canonical++
		}
	}
	if canonical < 1000 {
		t.Errorf("only %d names were canonical", canonical)
	}
}
