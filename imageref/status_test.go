// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imageref

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOfStatusNames(t *testing.T) {
	got := OfStatusNames([]string{
		"docker.io/library/nginx@" + digest, "docker.io/library/nginx:1.29", "nginx:1.29",
		"<none>@<none>", "<none>:<none>", "docker.io/library/nginx:<none>", digest, hex, "", "UPPER",
	})
	var names []string
	for _, r := range got {
		names = append(names, r.String())
	}
	want := []string{"docker.io/library/nginx@" + digest, "docker.io/library/nginx:1.29"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := OfStatusNames(nil); got != nil {
		t.Errorf("no names give %v", got)
	}
}

func TestParseImageID(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"containerd":                  {"docker.io/library/nginx@" + digest, "docker.io/library/nginx@" + digest},
		"dockershim":                  {"docker-pullable://nginx@" + digest, "docker.io/library/nginx@" + digest},
		"dockershim without a name":   {"docker://" + digest, ""},
		"a bare digest":               {digest, ""},
		"a bare long digest":          {digest5, ""},
		"a bare ID":                   {hex, ""},
		"a name without a digest":     {"docker.io/library/nginx:1.29", ""},
		"nothing":                     {"", ""},
		"what is not an image's name": {"://@", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := ParseImageID(tt.in)
			if got.String() != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %t, want %q", got, ok, tt.want)
			}
		})
	}
}
