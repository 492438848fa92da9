// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"fmt"
	"net/url"
)

// ServiceNames are the names that an API server calls a Service by. It verifies the first one.
func ServiceNames(service, namespace string) []string {
	name := service + "." + namespace + ".svc"
	return []string{name, service + "." + namespace, name + ".cluster.local"}
}

// URLNames are the names that an API server calls a webhook at this URL by.
func URLNames(u *url.URL) ([]string, error) {
	host := u.Hostname()
	if host == "" {
		return nil, fmt.Errorf("the webhook's URL %q has no host", u.Redacted())
	}
	return []string{host}, nil
}
