// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

func TestChainIDsNameWhatIsBelowAsWell(t *testing.T) {
	a, b := digest.FromString("a"), digest.FromString("b")
	config := fmt.Sprintf(`{"rootfs":{"type":"layers","diff_ids":[%q,%q]}}`, a, b)
	got, err := ChainIDs([]byte(config), 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{a.String(), digest.FromString(a.String() + " " + b.String()).String()}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestChainIDsRefuse(t *testing.T) {
	good := digest.FromString("a").String()
	for what, config := range map[string]string{
		"no JSON":           "<html>",
		"no layers":         "{}",
		"too many layers":   fmt.Sprintf(`{"rootfs":{"diff_ids":[%q,%q]}}`, good, good),
		"no digest":         `{"rootfs":{"diff_ids":["latest"]}}`,
		"a digest cut off":  fmt.Sprintf(`{"rootfs":{"diff_ids":[%q]}}`, good[:60]),
		"a digest in words": fmt.Sprintf(`{"rootfs":{"diff_ids":["sha256:%s"]}}`, strings.Repeat("z", 64)),
	} {
		if got, err := ChainIDs([]byte(config), 1); err == nil {
			t.Errorf("%s: %v", what, got)
		}
	}
}
