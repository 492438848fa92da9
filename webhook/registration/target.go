// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registration

import (
	"fmt"
	"net/url"
)

// URLFlag is the flag that a URL comes from: errors name it.
const URLFlag = "--webhook-url"

// Target returns the URL below which the API server is to post, from base, as a user gives it.
func Target(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not a URL: write it like https://127.0.0.1:9443", URLFlag, base)
	}
	switch {
	case u.Scheme != "https":
		return nil, fmt.Errorf("%s: %q does not start with https://: the API server calls webhooks over TLS only", URLFlag, u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s: %q has no host: write it like https://127.0.0.1:9443", URLFlag, u.Redacted())
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, fmt.Errorf("%s: %q may have a host, a port and a path only: leave out user, query and fragment", URLFlag, u.Redacted())
	}
	return u, nil
}
