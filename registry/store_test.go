// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/registry/layer/layertest"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := OpenStore(path, StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatARegistryToldSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sizes")
	blob := layertest.Gzip(t, layertest.Archive(t, files()...))
	handler, asked := counting(quietRegistry())
	first := start(t, handler, func(o *Options) { o.Store = open(t, path) })
	made := imageOf(t, gzipType, blob)
	first.push(t, "app:v1", made)
	image, err := ref(t, "lab.test/app:v1").WithDigest(declared(t, made).Digest)
	if err != nil {
		t.Fatal(err)
	}
	first.expect(t, image, amd64, Resolved)
	want, _ := first.sink.get(image, amd64)
	first.store.save()
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	gets := asked.of(http.MethodGet)
	second := start(t, http.NotFoundHandler(), func(o *Options) { o.Store = open(t, path) })
	second.expect(t, image, amd64, Resolved)
	got, _ := second.sink.get(image, amd64)
	if diff := cmp.Diff(want, got); diff != "" || asked.of(http.MethodGet) != gets || got.Layers[0].Unpacked.IsZero() {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func TestTheStoreIsWrittenWhenItIsNewAndAtTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sizes")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.run(ctx); close(done) }()
		known := func() int {
			body, err := os.ReadFile(path)
			if err != nil {
				return -1
			}
			return strings.Count(string(body), `"inodes"`) + strings.Count(string(body), `"Inodes"`)
		}
		keep := func(n int) {
			s.keepFact("lab.test@"+digestOf([]byte{byte(n)}), fact{Size: 1, Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(4096), Inodes: 1}})
		}
		keep(1)
		if n := known(); n != -1 {
			t.Errorf("%d facts are written at once", n)
		}
		time.Sleep(writeEvery)
		synctest.Wait()
		if n := known(); n != 1 {
			t.Errorf("%d facts are written, want 1", n)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * writeEvery)
		synctest.Wait()
		if n := known(); n != -1 {
			t.Error("the file is written with nothing new")
		}
		keep(2)
		cancel()
		<-done
		if n := known(); n != 2 {
			t.Errorf("%d facts are written at the end, want 2", n)
		}
	})
}

func TestAFileThatIsNoStoreIsReplaced(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "sizes"))
	body := []byte(`{"config":{"digest":"x"}}`)
	s.keepBody("lab.test/app@"+digestOf(body), body)
	s.save()
	good, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	forged := func(json string) []byte {
		return fmt.Appendf(nil, "%s%s\n%s", storeHeader, strings.TrimPrefix(digestOf([]byte(json)), "sha256:"), json)
	}
	for what, file := range map[string][]byte{
		"an empty file":              {},
		"half of one":                good[:len(good)/2],
		"one bit":                    append(bytes.Clone(good[:len(good)-2]), good[len(good)-2]^1, good[len(good)-1]),
		"another version":            bytes.Replace(good, []byte("sizes 1"), []byte("sizes 2"), 1),
		"somebody else's":            []byte("#!/bin/sh\n"),
		"a document of another":      forged(fmt.Sprintf(`{"documents":[{"key":"lab.test/app@%s","body":"eA=="}]}`, digestOf([]byte("y")))),
		"a key without a digest":     forged(`{"documents":[{"key":"lab.test/app","body":"eA=="}]}`),
		"a size below zero":          forged(fmt.Sprintf(`{"layers":[{"key":"lab.test@%s","size":5,"unpacked":{"DiskBytes":{"low":-1}}}]}`, digestOf(nil))),
		"a size that is upside down": forged(fmt.Sprintf(`{"layers":[{"key":"lab.test@%s","size":5,"unpacked":{"DiskBytes":{"low":5,"likely":4,"high":9}}}]}`, digestOf(nil))),
		"too much":                   make([]byte, 2<<20+1),
	} {
		path := filepath.Join(t.TempDir(), "sizes")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		bad, err := OpenStore(path, StoreOptions{MaxBytes: 1 << 20})
		if err == nil || bad == nil || bad.bodies.len()+bad.facts.len() != 0 {
			t.Errorf("%s: %v", what, err)
			continue
		}
		bad.keepBody("lab.test/app@"+digestOf(body), body)
		bad.save()
		if again := open(t, path); !again.has("lab.test/app@" + digestOf(body)) {
			t.Errorf("%s is not replaced", what)
		}
	}
	if _, err := OpenStore(t.TempDir(), StoreOptions{}); err == nil {
		t.Error("a folder is a store")
	}
}

func TestAFileThatCanNotBeWrittenIsToldOnce(t *testing.T) {
	var told []error
	s, err := OpenStore(filepath.Join(t.TempDir(), "missing", "sizes"), StoreOptions{Failed: func(err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	s.keepFact("lab.test@"+digestOf(nil), fact{Size: 1})
	s.save()
	s.save()
	if len(told) != 1 {
		t.Errorf("told %d times: %v", len(told), told)
	}
	if err := os.Mkdir(filepath.Dir(s.path), 0o700); err != nil {
		t.Fatal(err)
	}
	s.save()
	if again := open(t, s.path); !again.knows("lab.test@" + digestOf(nil)) {
		t.Error("what could not be written was not written later")
	}
}

func TestTheStoreIsBounded(t *testing.T) {
	s := newStore(1 << 20)
	for i := range 10_000 {
		body := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 1000)
		s.keepBody("lab.test/app@"+digestOf(body), body)
		s.keepFact(fmt.Sprintf("lab.test@%d", i), fact{Size: 1})
	}
	total := int64(0)
	s.bodies.oldest(func(key string, d stored) { total += int64(len(key) + len(d.body)) })
	if total != s.bytes || total > s.maxBytes || s.facts.len() > 1024 {
		t.Errorf("%d bytes of documents, %d counted, %d facts", total, s.bytes, s.facts.len())
	}
	if !s.knows("lab.test@9999") || s.knows("lab.test@1") {
		t.Error("what was used last is forgotten first")
	}
}

func FuzzLoadStore(f *testing.F) {
	whole := func(json string) string {
		return storeHeader + strings.TrimPrefix(digestOf([]byte(json)), "sha256:") + "\n" + json
	}
	f.Add([]byte(whole(`{"documents":[{"key":"a@`+digestOf([]byte("x"))+`","body":"eA=="}],"layers":[]}`)), false)
	f.Add([]byte(`{"layers":[{"key":"a@`+digestOf(nil)+`","size":5,"unpacked":{"DiskBytes":{"low":1,"likely":4,"high":9},"Inodes":3}}]}`), true)
	f.Fuzz(func(t *testing.T, file []byte, wrap bool) {
		if wrap {
			file = []byte(whole(string(file)))
		}
		s := newStore(1 << 20)
		if err := s.load(file); err != nil && s.bodies.len()+s.facts.len() > 0 {
			t.Errorf("a part of a bad file is used: %v", err)
		}
		s.facts.oldest(func(key string, f fact) {
			if d := f.Unpacked.DiskBytes; d.Low < 0 || d.Low > d.Likely || d.Likely > d.High {
				t.Errorf("%s: %+v", key, d)
			}
		})
	})
}
