// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/registry/layer"
)

const (
	// maxLayers is how many layers of an image are read: no runtime takes more.
	maxLayers = 128
	// maxBlob is the largest compressed size that is believed of a layer: 1 TiB.
	maxBlob = 1 << 40
	// layersAtOnce bounds how many layers of one image are read in parallel.
	layersAtOnce = 8
	// requestsPerLayer is a layer's share of the round trips: its start, its end and
	// its table of contents, each with a redirect.
	requestsPerLayer = 6
	// measuredAtOnce bounds the layers that are decompressed, and the tables in memory, at any time.
	measuredAtOnce = 2
	// layersTimeouts is how many times RequestTimeout the layers of one image may take.
	layersTimeouts = 4
)

// fact is what is known of a layer's blob, whoever uses it.
type fact struct {
	Size     int64              `json:"size"`
	Unpacked imagesize.Unpacked `json:"unpacked"` // zero for a blob that says nothing
}

// known fills in what was learned of a manifest's layers before, and reports whether
// that is all there is to learn.
func (v *visit) known(d document, m *imagesize.Manifest) (complete bool) {
	complete = true
	m.Layers = slices.Clone(m.Layers) // The sink keeps what it was told before, and so does the document.
	if body, found := v.r.store.body(v.key(d.config.Digest)); found {
		nameSnapshots(m, body)
	} else if v.r.readableConfig(d) {
		complete = false
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		if !eligible(d, i) {
			continue
		}
		if f, found := v.r.store.fact(v.factKey(l.Digest)); !found {
			complete = false
		} else if f.Size == l.CompressedBytes {
			l.Unpacked = f.Unpacked
		}
	}
	return complete
}

// nameSnapshots writes the chain IDs into a manifest, if the configuration fits it.
func nameSnapshots(m *imagesize.Manifest, config []byte) {
	chain, err := layer.ChainIDs(config, len(m.Layers))
	if err != nil {
		return
	}
	for i, id := range chain {
		m.Layers[i].ChainID = id
	}
}

func (v *visit) key(digest string) string     { return v.ref.Repository() + "@" + digest }
func (v *visit) factKey(digest string) string { return v.ref.Host() + "@" + digest }

func (r *Resolver) readableConfig(d document) bool {
	return d.config.Size > 0 && d.config.Size <= r.o.MaxManifestBytes && len(d.layers) > 0
}

// learn reads what is not known of a manifest's layers. That it can't is no failure
// of the image; again says that trying later may help.
func (v *visit) learn(ctx context.Context, d document, m *imagesize.Manifest) (again bool) {
	defer func() {
		if p := recover(); p != nil {
			again = false
		}
		v.known(d, m)
	}()
	host := v.ref.Host()
	if !v.r.hosts.mayReadBlobs(host, v.r.o.Now()) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, layersTimeouts*v.r.o.RequestTimeout)
	defer cancel()
	b, err := v.blobs(ctx, min(len(d.layers), maxLayers)+1)
	if err != nil {
		v.pauseBlobs(classify(err, host), nil)
		return true
	}
	again, err = b.learn(ctx, d, m)
	if err != nil {
		v.pauseBlobs(classify(err, host), b.errand)
		return true
	}
	return again
}

// learn reads the configuration and the layers. An error is one of the host, which
// others than this image's layers would meet as well.
func (b *blobs) learn(ctx context.Context, d document, m *imagesize.Manifest) (again bool, err error) {
	if v := b.v; v.r.readableConfig(d) && !v.r.store.has(v.key(d.config.Digest)) {
		// First, as it is small, and names all layers.
		if again, err = absent(b.config(ctx, d)); err != nil {
			return true, err
		}
	}
	var missed atomic.Bool
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(layersAtOnce)
	for digest, size := range b.unread(d, m) {
		group.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = nil // A layer that trips a library stays as it is: unknown.
				}
			}()
			later, err := absent(b.layer(ctx, digest, size))
			if later {
				missed.Store(true)
			}
			return err
		})
	}
	err = group.Wait()
	return again || missed.Load(), err
}

// absent tells a blob that may be there later from one that stays unknown, and both
// from an error of the host.
func absent(err error) (later bool, hosts error) {
	switch {
	case errors.Is(err, errAbsent):
		return true, nil
	case errors.Is(err, errContradiction):
		return false, nil
	default:
		return false, err
	}
}

// eligible says whether a layer's blob is worth being read.
func eligible(d document, i int) bool {
	size := d.layers[i].CompressedBytes
	return i < maxLayers && d.readable[i] && size > 0 && size <= maxBlob
}

// unread are the sizes of the layers that nothing is known of, by digest.
func (b *blobs) unread(d document, m *imagesize.Manifest) map[string]int64 {
	sizes := map[string]int64{}
	for i, l := range m.Layers {
		if eligible(d, i) && !b.v.r.store.knows(b.v.factKey(l.Digest)) {
			sizes[l.Digest] = l.CompressedBytes
		}
	}
	return sizes
}

func (b *blobs) config(ctx context.Context, d document) error {
	body, err := b.readWhole(ctx, d.config.Digest, d.config.Size)
	if err != nil {
		return err
	}
	b.v.r.store.keepBody(b.v.key(d.config.Digest), body)
	return nil
}

// layer reads what tells the size of one layer, and keeps it for every image of the host.
func (b *blobs) layer(ctx context.Context, digest string, size int64) error {
	if _, err := parseDigest(digest); err != nil {
		return err
	}
	blob := layer.Blob{Size: size}
	var err error
	var ranged bool
	if size <= layer.WholeBelow {
		blob.Head, err = b.readWhole(ctx, digest, size)
	} else {
		blob.Head, ranged, err = b.read(ctx, digest, size, 0, layer.HeadBytes)
	}
	if err != nil {
		return fmt.Errorf("layer %s: %w", digest, err)
	}
	if ranged {
		if blob.Tail, _, err = b.read(ctx, digest, size, size-layer.TailBytes, layer.TailBytes); err != nil {
			return fmt.Errorf("end of layer %s: %w", digest, err)
		}
	}
	unpacked, err := b.measure(ctx, digest, blob)
	if err != nil {
		return err
	}
	b.v.r.store.keepFact(b.v.factKey(digest), fact{Size: size, Unpacked: unpacked})
	return nil
}

// measure returns zero for a blob that says nothing. An error is one of reading more of it.
func (b *blobs) measure(ctx context.Context, digest string, blob layer.Blob) (imagesize.Unpacked, error) {
	select {
	case b.v.r.measuring <- struct{}{}:
		defer func() { <-b.v.r.measuring }()
	case <-ctx.Done():
		return imagesize.Unpacked{}, ctx.Err()
	}
	if table, found := layer.FindTOC(blob.Size, blob.Tail); found {
		body, _, err := b.read(ctx, digest, blob.Size, table.Offset, table.Length)
		if err != nil {
			return imagesize.Unpacked{}, fmt.Errorf("table of contents of layer %s: %w", digest, err)
		}
		if unpacked, err := layer.MeasureTOC(blob.Size, table, body); err == nil {
			return unpacked, nil
		}
	}
	unpacked, err := layer.Measure(blob)
	if err != nil {
		return imagesize.Unpacked{}, nil // Whoever asks has a factor for what can't be measured.
	}
	return unpacked, nil
}

// pauseBlobs leaves the layers of a host alone that asked for it or does not answer.
func (v *visit) pauseBlobs(e *Error, asked *errand) {
	now := v.r.o.Now()
	switch e.Outcome {
	case RateLimited:
		pause := limitedPause
		if asked != nil && asked.pause() > 0 {
			pause = asked.pause()
		}
		v.r.hosts.pauseBlobs(v.ref.Host(), now.Add(pause))
	case Timeout:
		v.r.hosts.pauseBlobs(v.ref.Host(), now.Add(unreachablePause))
	default:
	}
}
