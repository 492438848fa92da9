// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
)

// blobs reads parts of the blobs of one repository.
type blobs struct {
	v      *visit
	client *http.Client
	errand *errand
}

var (
	// errContradiction says that the registry and the manifest, or the blob and its
	// digest, don't agree: there is nothing to wait for.
	errContradiction = errors.New("the blob is not what the manifest says")
	errAbsent        = errors.New("the registry does not show the blob")
)

// blobs introduces itself to the registry, for layers as many as that.
func (v *visit) blobs(ctx context.Context, layers int) (*blobs, error) {
	b := &blobs{v: v, errand: &errand{r: v.r, limit: maxRequests + layers*requestsPerLayer, partly: true}}
	ctx, cancel := context.WithTimeout(ctx, v.r.o.RequestTimeout)
	defer cancel()
	auth, err := authn.Resolve(ctx, v.r.o.Keychain, v.repo)
	if err != nil {
		return nil, err
	}
	known, err := transport.NewWithContext(ctx, v.repo.Registry, auth, transport.NewUserAgent(b.errand, v.r.o.UserAgent),
		[]string{v.repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	// The transport shows credentials to the registry only, never to where that redirects.
	b.client = &http.Client{Transport: known}
	return b, nil
}

// read returns n bytes of a blob of so many, from an offset on. Of a server that has
// no ranges, it reads no more either; ranged is false then.
func (b *blobs) read(ctx context.Context, name string, size, from, n int64) (body []byte, ranged bool, err error) {
	response, end, err := b.ask(ctx, name, from, n)
	if err != nil {
		return nil, false, err
	}
	defer end()
	if ranged, err = described(response, size, from, n); err != nil {
		return nil, false, err
	}
	if !ranged && from > 0 {
		return nil, false, nil
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(response.Body, body); err != nil {
		return nil, ranged, err
	}
	return body, ranged, nil
}

// ask asks for n bytes of a blob from an offset on, when it is the host's turn. end ends the
// answer: what is left of its body is not wanted, and closing that ends the connection.
func (b *blobs) ask(ctx context.Context, name string, from, n int64) (answer *http.Response, end func(), err error) {
	if err := b.v.r.hosts.takeBlob(ctx, b.v.ref.Host(), b.v.r.o.Now()); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.v.r.o.RequestTimeout)
	url := fmt.Sprintf("%s://%s/v2/%s/blobs/%s", b.v.repo.Scheme(), b.v.repo.RegistryStr(), b.v.repo.RepositoryStr(), name)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+n-1))
	request.Header.Set("Accept-Encoding", "identity")
	response, err := b.client.Do(request)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return response, func() { _ = response.Body.Close(); cancel() }, nil
}

// described checks that an answer is about the bytes that were asked for, of a blob of that size.
func described(response *http.Response, size, from, n int64) (ranged bool, err error) {
	switch response.StatusCode {
	case http.StatusPartialContent:
		want := fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, size)
		if got := response.Header.Get("Content-Range"); got != want {
			return false, fmt.Errorf("range %q in place of %q: %w", got, want, errContradiction)
		}
		return true, nil
	case http.StatusOK:
		// Where the length is not told, the digest has to agree instead.
		if length := response.ContentLength; length != size && (length >= 0 || from != 0 || n != size) {
			return false, fmt.Errorf("%d bytes in place of %d: %w", length, size, errContradiction)
		}
		return false, nil
	case http.StatusRequestedRangeNotSatisfiable:
		return false, fmt.Errorf("fewer than %d bytes: %w", size, errContradiction)
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden:
		return false, fmt.Errorf("status %d: %w", response.StatusCode, errAbsent)
	default:
		return false, classifyStatus(response.StatusCode, response.Request.URL.Host)
	}
}

// readWhole returns a whole blob, which must have its digest.
func (b *blobs) readWhole(ctx context.Context, name string, size int64) ([]byte, error) {
	d, err := parseDigest(name)
	if err != nil {
		return nil, err
	}
	body, _, err := b.read(ctx, name, size, 0, size)
	if err != nil {
		return nil, err
	}
	if d.Algorithm().FromBytes(body) != d {
		return nil, fmt.Errorf("another digest than %s: %w", d, errContradiction)
	}
	return body, nil
}

// parseDigest checks what becomes a part of a URL and of the cache's keys.
func parseDigest(name string) (digest.Digest, error) {
	d, err := digest.Parse(name)
	if err != nil {
		return "", fmt.Errorf("%q: %w: %w", name, err, errContradiction)
	}
	return d, nil
}
