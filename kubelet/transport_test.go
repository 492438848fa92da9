// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDirectRefusesOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, o := range map[string]DirectOptions{
		"no token":          {InsecureTLS: true},
		"no way to check":   {Token: fixedToken},
		"both ways":         {Token: fixedToken, InsecureTLS: true, CAFile: file},
		"an empty CA file":  {Token: fixedToken, CAFile: file},
		"a missing CA file": {Token: fixedToken, CAFile: file + "x"},
		"an empty CA":       {Token: fixedToken, CAPEM: []byte("no")},
	} {
		if _, err := Direct(o); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
