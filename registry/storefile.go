// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

const (
	// storeHeader is how the file begins; the checksum of all that follows the line is next.
	storeHeader = "headroom-sizes 1 sha256:"
	// writeEvery is how often the file is written while there is something new.
	writeEvery = 30 * time.Second
)

// StoreOptions configure a store that is kept in a file. The zero value of a field
// means its default.
type StoreOptions struct {
	// MaxBytes bounds what is remembered, and twice that the file; default 32 MiB.
	MaxBytes int64
	// Failed is told why the file can't be written: once, until it can be again.
	Failed func(error)
}

// content is the file, what was used longest ago first.
type content struct {
	Documents []savedDocument `json:"documents"`
	Layers    []savedLayer    `json:"layers"`
}

type savedDocument struct {
	Key  string `json:"key"`
	Body []byte `json:"body"`
}

type savedLayer struct {
	Key string `json:"key"`
	fact
}

// OpenStore returns a store that is kept in a file, with what that holds. It always
// returns a store: an error says why it is an empty one. The file is written, by
// Resolver.Run, as a whole, and replaced: whoever reads it sees all of one state.
// It may hold what only credentials showed, so that nobody else may read it.
func OpenStore(path string, o StoreOptions) (*Store, error) {
	s := newStore(positive(o.MaxBytes, defaultStoreBytes))
	s.path, s.failed = path, o.Failed
	body, err := readStore(path, 2*s.maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = s.load(body)
	}
	if err != nil {
		return s, fmt.Errorf("the sizes in %s are not used, and will be replaced: %w", path, err)
	}
	return s, nil
}

func readStore(path string, most int64) ([]byte, error) {
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > most:
		return nil, fmt.Errorf("%d bytes are more than the %d it may have", info.Size(), most)
	}
	return os.ReadFile(path)
}

var errStore = errors.New("it is damaged, or of another version")

// load takes what a file says, if it is whole and true.
func (s *Store) load(file []byte) error {
	header, body, _ := bytes.Cut(file, []byte("\n"))
	sum := sha256.Sum256(body)
	if string(header) != fmt.Sprintf("%s%x", storeHeader, sum) {
		return errStore
	}
	var c content
	if err := json.Unmarshal(body, &c); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	for _, d := range c.Documents {
		if name, err := keyDigest(d.Key); err != nil || name.Algorithm().FromBytes(d.Body) != name {
			return fmt.Errorf("%w: %q is not what it says", errStore, d.Key)
		}
	}
	for _, l := range c.Layers {
		disk := l.Unpacked.DiskBytes
		if _, err := keyDigest(l.Key); err != nil || l.Size <= 0 || disk.Low < 0 || disk.Low > disk.Likely || disk.Likely > disk.High || l.Unpacked.Inodes < 0 {
			return fmt.Errorf("%w: %q has no size", errStore, l.Key)
		}
	}
	for _, d := range c.Documents {
		s.keepBody(d.Key, d.Body)
	}
	for _, l := range c.Layers {
		s.keepFact(l.Key, l.fact)
	}
	s.dirty = false
	return nil
}

// keyDigest is the digest that a key ends with.
func keyDigest(key string) (digest.Digest, error) {
	at := strings.LastIndexByte(key, '@')
	if at <= 0 {
		return "", digest.ErrDigestInvalidFormat
	}
	return digest.Parse(key[at+1:])
}

// run writes the file while there is something new, and once more when ctx ends.
func (s *Store) run(ctx context.Context) {
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		s.save()
	}
}

func (s *Store) save() {
	if s.path == "" {
		return
	}
	c, dirty := s.content()
	if !dirty {
		return
	}
	err := writeStore(s.path, c)
	s.mu.Lock()
	tell := err != nil && !s.silent && s.failed != nil
	s.silent = err != nil
	s.dirty = s.dirty || err != nil
	s.mu.Unlock()
	if tell {
		s.failed(fmt.Errorf("the sizes can't be kept in %s: %w", s.path, err))
	}
}

// content is what there is to write, and whether it is new.
func (s *Store) content() (content, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty {
		return content{}, false
	}
	s.dirty = false
	var c content
	s.bodies.oldest(func(key string, d stored) { c.Documents = append(c.Documents, savedDocument{key, d.body}) })
	s.facts.oldest(func(key string, f fact) { c.Layers = append(c.Layers, savedLayer{key, f}) })
	return c, true
}

// writeStore replaces a file by another one, which is there as a whole or not at all.
func writeStore(path string, c content) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%x\n%s", storeHeader, sha256.Sum256(body), body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(next)
		return err
	}
	return os.Rename(next, path)
}
