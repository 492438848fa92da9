// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/headroom-dev/headroom/imagesize"
)

// errNoSize says that the registry does not tell how large a blob is.
var errNoSize = errors.New("the registry does not tell how large a layer is")

// readSchema1 takes the layers from a manifest of schema 1, which names them by digest alone
// (distribution/distribution, docs/spec/manifest-v2-1.md). Each counts once: what is named
// again and again is the layer without files, and nothing says which it is.
func (d *document) readSchema1(layers json.RawMessage) error {
	var named []struct {
		BlobSum string `json:"blobSum"`
	}
	if err := json.Unmarshal(layers, &named); err != nil || len(named) == 0 {
		return failure(Malformed, err, "the manifest is of schema 1 and names no layers")
	}
	// A runtime makes another manifest and a configuration of it, and reports those.
	d.schema1, d.bytes = true, 0
	for _, l := range named {
		same := func(known imagesize.Layer) bool { return known.Digest == l.BlobSum }
		if slices.ContainsFunc(d.layers, same) {
			continue
		}
		if len(d.layers) == maxLayers {
			return failure(Malformed, nil, "the manifest is of schema 1 and names more than %d layers", maxLayers)
		}
		d.layers, d.readable = append(d.layers, imagesize.Layer{Digest: l.BlobSum}), append(d.readable, false)
	}
	return nil
}

// sized asks how large the layers are that a manifest of schema 1 names, with a read of
// one byte of each. Nothing of it is kept beyond the process: the digest of such a manifest
// is of the part of it that is signed.
func (v *visit) sized(ctx context.Context, d document) (document, error) {
	host := v.ref.Host()
	if !v.r.hosts.mayReadBlobs(host, v.r.o.Now()) {
		return document{}, failure(Other, nil, "%s is left alone for a while, and the manifest of %s, of schema 1, tells no sizes", host, v.ref.Familiar())
	}
	ctx, cancel := context.WithTimeout(ctx, layersTimeouts*v.r.o.RequestTimeout)
	defer cancel()
	b, err := v.blobs(ctx, len(d.layers))
	var asked *errand
	if err == nil {
		asked = b.errand
		err = b.sizes(ctx, d.layers)
	}
	if err == nil {
		v.r.keepDocument(v.key(d.digest), d)
		return d, nil
	}
	why := classify(err, host)
	v.pauseBlobs(why, asked)
	outcome := Malformed
	if why.temporary() {
		outcome = Other
	}
	return document{}, failure(outcome, why, "the manifest of %s is of schema 1, which tells no sizes, and %s does not tell those of its layers: "+
		"push the image again with a newer tool", v.ref.Familiar(), host)
}

// sizes fills in how large the layers are.
func (b *blobs) sizes(ctx context.Context, layers []imagesize.Layer) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(layersAtOnce)
	for i := range layers {
		group.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("panic: %v", p)
				}
			}()
			layers[i].CompressedBytes, err = b.size(ctx, layers[i].Digest)
			return err
		})
	}
	return group.Wait()
}

// size returns how large a blob is, by the answer to a question for its first byte. HEAD would be
// for less, but registries redirect to storages at addresses that are signed for GET.
func (b *blobs) size(ctx context.Context, name string) (int64, error) {
	if _, err := parseDigest(name); err != nil {
		return 0, err
	}
	response, end, err := b.ask(ctx, name, 0, 1)
	if err != nil {
		return 0, err
	}
	defer end()
	size := response.ContentLength // of all, where ranges are not known
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		total, found := strings.CutPrefix(response.Header.Get("Content-Range"), "bytes 0-0/")
		if size, err = strconv.ParseInt(total, 10, 64); err != nil || !found {
			return 0, fmt.Errorf("range %q: %w", response.Header.Get("Content-Range"), errNoSize)
		}
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestedRangeNotSatisfiable:
		return 0, fmt.Errorf("status %d: %w", response.StatusCode, errNoSize)
	default:
		return 0, classifyStatus(response.StatusCode, response.Request.URL.Host)
	}
	if size <= 0 || size > maxBlob {
		return 0, fmt.Errorf("%d bytes: %w", size, errNoSize)
	}
	return size, nil
}
