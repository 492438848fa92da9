// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/webhook"
)

func TestTarget(t *testing.T) {
	cases := map[string]struct{ base, want, wantErr string }{
		"an address":                {base: "https://127.0.0.1:9443", want: "https://127.0.0.1:9443/validate-pods"},
		"a slash at the end":        {base: "https://h:1/", want: "https://h:1/validate-pods"},
		"a path of a proxy":         {base: "https://h/debug", want: "https://h/debug/validate-pods"},
		"no TLS":                    {base: "http://h", wantErr: "does not start with https://"},
		"no scheme":                 {base: "127.0.0.1:9443", wantErr: "is not a URL"},
		"no host":                   {base: "https://:9443", wantErr: "has no host"},
		"nothing":                   {base: "", wantErr: "does not start with https://"},
		"a query":                   {base: "https://h?a=b", wantErr: "leave out"},
		"a password is not printed": {base: "https://u:secret@h", wantErr: "u:xxxxx@h"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Target(tc.base)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) || !strings.Contains(err.Error(), URLFlag) {
					t.Errorf("error %v, want one about %q that names %s", err, tc.wantErr, URLFlag)
				}
				return
			}
			if err != nil || got.JoinPath(webhook.PodsPath).String() != tc.want {
				t.Errorf("target %v, %v, want %s", got, err, tc.want)
			}
		})
	}
}
