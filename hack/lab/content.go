// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// Content says what is in the files of a layer.
type Content string

const (
	// Random bytes don't compress.
	Random Content = "random"
	// Zeros compress to less than a hundredth.
	Zeros Content = "zeros"
	// Text compresses to about a quarter, like program code.
	Text Content = "text"
	// Tiny is Random in files of 30 bytes, which take a whole block each on a disk.
	Tiny Content = "tiny"
	// Source is Text in files of many sizes in folders within folders, like the sources of a program: most are smaller than a block
	// of a disk or two, and some are much larger.
	Source Content = "source"
)

// tinyFileBytes is the size of one file of a Tiny layer.
const tinyFileBytes = 30

// ParseContent reads a name of a content.
func ParseContent(s string) (Content, error) {
	switch c := Content(s); c {
	case Random, Zeros, Text, Tiny, Source:
		return c, nil
	}
	return "", fmt.Errorf("content %q is not known: use random, zeros, text, tiny or source", s)
}

// level is the gzip level that suits the content. What can't be compressed is not tried; for the rest the fastest level does, which
// even the race detector doesn't make slow.
func (c Content) level() int {
	if c == Random {
		return gzip.NoCompression
	}
	return gzip.BestSpeed
}

// reader gives content without an end; equal seeds give equal bytes.
func (c Content) reader(seed uint64) (io.Reader, error) {
	switch c {
	case Random, Tiny:
		return randomBytes(seed), nil
	case Zeros:
		return zeros{}, nil
	case Text, Source:
		return &prose{random: rand.New(randomBytes(seed))}, nil //nolint:gosec // made-up content has to be the same each time
	}
	_, err := ParseContent(string(c))
	return nil, err
}

// randomBytes is a source of bytes that look random.
func randomBytes(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// prose makes lines of made-up words.
type prose struct {
	random *rand.Rand
	rest   string
}

func (t *prose) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if t.rest == "" {
			t.rest = t.line()
		}
		copied := copy(p[n:], t.rest)
		t.rest = t.rest[copied:]
		n += copied
	}
	return n, nil
}

// line has between 4 and 14 words of two to four syllables, as often repeated as in program code.
func (t *prose) line() string {
	const syllables = "lamiroketusanobedifugahepivozuxeryja"
	var b strings.Builder
	b.WriteString(strings.Repeat("\t", t.random.IntN(4)))
	for range 4 + t.random.IntN(10) {
		word := t.random.IntN(1 + t.random.IntN(4000))
		for range 2 + word%3 {
			at := word % (len(syllables) / 2) * 2
			b.WriteString(syllables[at : at+2])
			word = word*7 + 3
		}
		b.WriteByte(' ')
	}
	b.WriteByte('\n')
	return b.String()
}
