// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/headroom-dev/headroom/registry/layer"
)

// maxRequests bounds the round trips for one image: handshakes, redirects and
// tokens included. An ordinary one takes six.
const maxRequests = 20

func (r *Resolver) newTransport() *http.Transport {
	return &http.Transport{
		// No proxy: it would resolve names itself, past the check of addresses.
		Proxy:                  nil,
		DialContext:            r.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.o.RootCAs},
		TLSHandshakeTimeout:    r.o.RequestTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           50,
		MaxIdleConnsPerHost:    layersAtOnce,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// errand is the transport of all requests for one image, or for its layers.
type errand struct {
	r     *Resolver
	limit int // of requests
	// partly says that no body is read to its end: its length does not matter.
	partly bool

	mu         sync.Mutex // guards the rest: the library may send two at once
	requests   int
	retryAfter time.Duration // as a 429 said, 0 for nothing
}

// RoundTrip sends a request, if it may be sent, and caps the answer's body.
func (e *errand) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := e.check(request); err != nil {
		return nil, err
	}
	response, err := e.r.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusTooManyRequests {
		e.mu.Lock()
		e.retryAfter = max(e.retryAfter, retryAfter(response.Header.Get("Retry-After"), e.r.o.Now()))
		e.mu.Unlock()
	}
	if !e.partly && request.Method != http.MethodHead && response.ContentLength > e.r.o.MaxManifestBytes {
		_ = response.Body.Close()
		return nil, fmt.Errorf("%d bytes announced, at most %d are read: %w", response.ContentLength, e.r.o.MaxManifestBytes, errTooLarge)
	}
	most := e.r.o.MaxManifestBytes
	if e.partly {
		most = max(most, layer.MaxTOC)
	}
	response.Body = &cappedBody{ReadCloser: response.Body, left: most}
	return response, nil
}

func (e *errand) check(request *http.Request) error {
	e.mu.Lock()
	e.requests++
	n := e.requests
	e.mu.Unlock()
	if n > e.limit {
		return errTooMany
	}
	switch request.URL.Scheme {
	case "https":
		return nil
	case "http":
		for _, endpoint := range e.r.o.Endpoints {
			if endpoint.plainHTTP && endpoint.host == request.URL.Host {
				return nil
			}
		}
		return fmt.Errorf("%s: %w", request.URL.Host, errPlainHTTP)
	default:
		return fmt.Errorf("scheme %q: %w", request.URL.Scheme, errBlocked)
	}
}

func (e *errand) pause() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.retryAfter
}

// retryAfter reads the header in both of its forms; 0 for none. A server may
// ask for a day at most.
func retryAfter(header string, now time.Time) time.Duration {
	const longest = 24 * time.Hour
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(seconds, 0), int(longest/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(now), 0), longest)
	}
	return 0
}

// cappedBody fails where io.LimitReader would feign an end.
type cappedBody struct {
	io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, errTooLarge
	}
	return n, err
}
