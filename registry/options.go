// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// Sink takes answers. *ledger.Ledger is one. Calls come one at a time.
type Sink interface {
	// SetManifest tells what a registry says an image is for a platform.
	SetManifest(ref imageref.Ref, p imagesize.Platform, m imagesize.Manifest)
	// DeleteManifest takes that back: the image is gone, or was forgotten to bound memory.
	DeleteManifest(ref imageref.Ref, p imagesize.Platform)
}

// Endpoint is where the images of a host are really asked for: a mirror, or a
// registry that speaks plain HTTP. Being named by the operator, it may have any
// address.
type Endpoint struct {
	plainHTTP bool
	host      string // with its port, if it has one
	prefix    string // before each repository, "" for none
}

// ParseEndpoint reads HOST=URL, as in "docker.io=https://mirror.example.com" or
// "registry.lab:5000=http://10.0.0.5:5000". A path of the URL becomes the first
// part of each repository, as proxies such as Harbor's have it.
func ParseEndpoint(s string) (host string, e Endpoint, err error) {
	host, rest, found := strings.Cut(s, "=")
	if !found || host == "" {
		return "", Endpoint{}, fmt.Errorf("registry endpoint %q: want HOST=URL, such as docker.io=https://mirror.example.com", s)
	}
	u, err := url.Parse(rest)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", Endpoint{}, fmt.Errorf("registry endpoint %q: %q is not a URL that starts with http:// or https://", s, rest)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", Endpoint{}, fmt.Errorf("registry endpoint %q: the URL may have a host and a path only", host)
	}
	return host, Endpoint{plainHTTP: u.Scheme == "http", host: u.Host, prefix: strings.Trim(u.Path, "/")}, nil
}

// Budget bounds how many manifests are fetched from a host: Burst at once, and
// again as many in each Per. In any span of time Per it is at most twice Burst.
// Asking whether a tag moved (HEAD) is not counted.
type Budget struct {
	Burst int
	Per   time.Duration
}

// Options configure a Resolver. The zero value of a field means its default.
type Options struct {
	// Allowed says whether a host, as image names have it ("docker.io",
	// "registry.corp:5000"), is on the policy's list. It is asked each time, so
	// that the list may change, and must not block. Nil allows the hosts of Endpoints only.
	//
	// A listed host may have a private address (RFC 1918, RFC 4193, RFC 6598):
	// the operator named it, and whoever creates pods can't change its DNS.
	// Loopback, link-local and the like are reached only where the list has
	// that very address, or "localhost".
	Allowed func(host string) bool
	// Endpoints by host. They are allowed without being on the policy's list.
	Endpoints map[string]Endpoint
	// Keychain has the credentials. Default: none, anonymous.
	Keychain authn.Keychain
	// Store remembers what can't change. Default: one that ends with the process.
	Store *Store

	TagTTL           time.Duration     // after which a tag is asked for again, when wanted; default 10m
	NegativeTTL      time.Duration     // for which a failure stands; default 2m
	RequestTimeout   time.Duration     // for one manifest, handshakes and redirects included; default 10s
	MaxManifestBytes int64             // of any response's body; default 4 MiB
	Workers          int               // images asked for at once; default 4
	QueueLength      int               // images waiting for a worker; default 1000
	CacheEntries     int               // images remembered, and as many manifests; default 10000
	MaxWaiters       int               // calls of Wait at once; default 64
	Budgets          map[string]Budget // by host; default DefaultBudgets
	UserAgent        string            // default "headroom"
	RootCAs          *x509.CertPool    // that sign registries' certificates; default the system's
	Now              func() time.Time  // default time.Now
}

// DefaultBudgets are for hosts that count manifests as pulls. Docker Hub allows
// 100 pulls in 6 hours for each address without login, which the nodes behind
// the same address need themselves: at most 40 are used.
func DefaultBudgets() map[string]Budget {
	return map[string]Budget{"docker.io": {Burst: 20, Per: 6 * time.Hour}}
}

func (o Options) withDefaults() (Options, error) {
	o.TagTTL = positive(o.TagTTL, 10*time.Minute)
	o.NegativeTTL = positive(o.NegativeTTL, 2*time.Minute)
	o.RequestTimeout = positive(o.RequestTimeout, 10*time.Second)
	o.MaxManifestBytes = positive(o.MaxManifestBytes, 4<<20)
	o.Workers = positive(o.Workers, 4)
	o.QueueLength = positive(o.QueueLength, 1000)
	o.CacheEntries = positive(o.CacheEntries, 10_000)
	o.MaxWaiters = positive(o.MaxWaiters, 64)
	o.Endpoints = maps.Clone(o.Endpoints)
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain()
	}
	if o.Store == nil {
		o.Store = newStore(defaultStoreBytes)
	}
	if o.Budgets == nil {
		o.Budgets = DefaultBudgets()
	}
	if o.UserAgent == "" {
		o.UserAgent = "headroom"
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // The default of an injected clock.
	}
	if o.Allowed == nil {
		o.Allowed = func(string) bool { return false }
	}
	for host, b := range o.Budgets {
		if b.Burst <= 0 || b.Per <= 0 {
			return o, fmt.Errorf("registry budget of %q: both the number and the time must be above zero", host)
		}
	}
	for host, e := range o.Endpoints {
		if e.host == "" {
			return o, fmt.Errorf("registry endpoint of %q has no URL", host)
		}
	}
	return o, nil
}

var errNoSink = errors.New("a resolver needs a sink for its answers")

func positive[T ~int | ~int64](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}
