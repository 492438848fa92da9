// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// page is a part of a snapshot.
type page struct {
	*snapshot

	from, limit int // a limit of 0 is none
	matches     func(item) bool
	// meta, count and bytes are found by a first pass: bytes is the size of the items' fields in protobuf.
	meta  metav1.ListMeta
	count int
	bytes int
}

// pageBuffer is how much of a list is encoded at a time.
const pageBuffer = 256 << 10

// list answers a LIST.
func (s *Server) list(w http.ResponseWriter, r *http.Request, c *collection, o *query) {
	p, err := s.page(r.Context(), c, o)
	if err != nil {
		refuse(w, err)
		return
	}
	protobuf := wantsProtobuf(r)
	c.measure(p)
	out := &counted{w: w, bytes: &s.counts.listBytes}
	if faults := s.faultsFor(c); faults.one(faults.BreakListEvery) {
		out.left = new(faults.random.IntN(1 + p.bytes))
	}
	s.counts.lists.Add(1)
	if protobuf {
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
		c.writeProtobufList(out, p)
	} else {
		w.Header().Set("Content-Type", "application/json")
		c.writeJSONList(out, p)
	}
	if errors.Is(out.err, errBroken) {
		panic(http.ErrAbortHandler) // it is how a handler cuts the connection
	}
}

// measure is the first pass over a page.
func (c *collection) measure(p *page) {
	left := 0
	next := p.each(p.from, func(i item) bool {
		if !p.matches(i) {
			return true
		}
		if p.limit > 0 && p.count == p.limit {
			return false
		}
		p.count++
		p.bytes += fieldSize(c.size(&i))
		return true
	})
	p.meta.ResourceVersion = strconv.FormatUint(p.version, 10)
	if next >= 0 {
		p.each(next, func(item) bool { left++; return true })
		p.meta.Continue = token{Version: p.version, From: next}.String()
		p.meta.RemainingItemCount = new(int64(left))
	}
}

// items calls f for the objects of a page that has been measured.
func (p *page) items(f func(item) bool) {
	n := 0
	if p.count == 0 {
		return
	}
	p.each(p.from, func(i item) bool {
		if !p.matches(i) {
			return true
		}
		n++
		return f(i) && n < p.count
	})
}

func (c *collection) writeProtobufList(w *counted, p *page) {
	head := listHead(&p.meta)
	b := append(c.wire.list.begin(nil, len(head)+p.bytes), head...)
	p.items(func(i item) bool {
		b = c.appendObject(beginField(b, listItems, c.size(&i)), &i)
		if len(b) >= pageBuffer {
			_, w.err = w.Write(b)
			b = b[:0]
		}
		return w.err == nil
	})
	if w.err == nil {
		_, w.err = w.Write(append(b, c.wire.list.tail...))
	}
}

func (c *collection) writeJSONList(w *counted, p *page) {
	meta, err := json.Marshal(&p.meta)
	if err != nil {
		return
	}
	var b bytes.Buffer
	b.WriteString(`{"kind":"` + c.kind + `List","apiVersion":"` + c.apiVersion() + `","metadata":` + string(meta) + `,"items":[`)
	comma := ""
	p.items(func(i item) bool {
		b.WriteString(comma)
		comma = ","
		encoded, err := c.appendJSON(b.AvailableBuffer(), &i, true)
		b.Write(encoded)
		if err == nil && b.Len() >= pageBuffer {
			_, err = w.Write(b.Bytes())
			b.Reset()
		}
		w.err = err
		return err == nil
	})
	b.WriteString("]}\n")
	if w.err == nil {
		_, w.err = w.Write(b.Bytes())
	}
}
