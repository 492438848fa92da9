// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// blobs keep blobs in files, as the library's own handler does, which reads a whole blob each time somebody asks for its size
// or a part of it. Registries in use look at the file's size: what is there was checked when it came.
type blobs struct {
	registry.BlobHandler
	registry.BlobPutHandler

	dir string
}

func newBlobs(dir string) (*blobs, error) {
	files := registry.NewDiskBlobHandler(dir)
	put, ok := files.(registry.BlobPutHandler)
	if !ok {
		return nil, errors.New("the registry's library does not take blobs any more")
	}
	return &blobs{BlobHandler: files, BlobPutHandler: put, dir: dir}, nil
}

// Stat implements registry.BlobStatHandler.
func (b *blobs) Stat(_ context.Context, _ string, h v1.Hash) (int64, error) {
	info, err := os.Stat(filepath.Join(b.dir, h.Algorithm, h.Hex))
	if errors.Is(err, os.ErrNotExist) {
		return 0, registry.ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
