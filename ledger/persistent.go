// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
)

// shardCount keeps a shard small for the number of images and waiting pods of a
// large cluster, while copying the table of shards stays cheap.
const shardCount = 256

// table is a map that never changes once it has been shared: with and without return
// another one, which has all shards in common with it but one. Values are shared
// between tables, so they must not change either. The one that was changed since must
// not be used any more: nobody has seen it.
type table[K comparable, V any] struct {
	seed   maphash.Seed
	shards *[shardCount]map[K]V
	// own says which shards, and own.table whether the table of them, nobody has seen yet.
	own own
}

// own is what a table need not copy before it is changed.
type own struct {
	table  bool
	shards [shardCount / 64]uint64
}

// share says that the table may be seen by others from now on.
func (t *table[K, V]) share() { t.own = own{} }

func newTable[K comparable, V any]() table[K, V] {
	return table[K, V]{seed: maphash.MakeSeed(), shards: new([shardCount]map[K]V)}
}

func (t table[K, V]) shard(key K) int {
	return int(maphash.Comparable(t.seed, key) % shardCount)
}

func (t table[K, V]) get(key K) (V, bool) {
	value, found := t.shards[t.shard(key)][key]
	return value, found
}

func (t table[K, V]) with(key K, value V) table[K, V] {
	t, shard := t.edit(key, 1)
	shard[key] = value
	return t
}

// same reports whether both are one table.
func (t table[K, V]) same(o table[K, V]) bool { return t.shards == o.shards }

// fill writes an entry into t itself: only for a table that nobody has seen yet.
func (t table[K, V]) fill(key K, value V) {
	shard := &t.shards[t.shard(key)]
	if *shard == nil {
		*shard = make(map[K]V)
	}
	(*shard)[key] = value
}

func (t table[K, V]) without(key K) table[K, V] {
	if _, found := t.get(key); !found {
		return t
	}
	t, shard := t.edit(key, 0)
	delete(shard, key)
	return t
}

// edit returns a table whose shard for key is its own and may be changed.
func (t table[K, V]) edit(key K, more int) (table[K, V], map[K]V) {
	i := t.shard(key)
	if !t.own.table {
		shards := *t.shards
		t.shards, t.own.table = &shards, true
	}
	if t.own.shards[i/64]&(1<<(i%64)) == 0 {
		shard := make(map[K]V, len(t.shards[i])+more)
		maps.Copy(shard, t.shards[i])
		t.shards[i] = shard
		t.own.shards[i/64] |= 1 << (i % 64)
	}
	return t, t.shards[i]
}

// each calls f for all entries, in no order.
func (t table[K, V]) each(f func(K, V)) {
	for _, shard := range t.shards {
		for k, v := range shard {
			f(k, v)
		}
	}
}

// chunkLimit is where a chunk of rows splits in two.
const chunkLimit = 64

// rows are the rows of a snapshot by name, in chunks so that replacing one copies
// little. A value never changes.
type rows struct {
	chunks [][]*row
	count  int
}

func rowsOf(sorted []*row) rows {
	r := rows{count: len(sorted)}
	for chunk := range slices.Chunk(sorted, chunkLimit/2) {
		r.chunks = append(r.chunks, slices.Clip(chunk))
	}
	return r
}

// locate returns the chunk that holds name or would, and the place in it.
func (r rows) locate(name string) (chunk, place int, found bool) {
	chunk, found = slices.BinarySearchFunc(r.chunks, name, func(c []*row, name string) int {
		return cmp.Compare(c[0].node.Name, name)
	})
	if found {
		return chunk, 0, true
	}
	if chunk > 0 {
		chunk--
	}
	if chunk == len(r.chunks) {
		return chunk, 0, false
	}
	place, found = slices.BinarySearchFunc(r.chunks[chunk], name, func(row *row, name string) int {
		return cmp.Compare(row.node.Name, name)
	})
	return chunk, place, found
}

func (r rows) get(name string) (*row, bool) {
	chunk, place, found := r.locate(name)
	if !found {
		return nil, false
	}
	return r.chunks[chunk][place], true
}

func (r rows) with(changed *row) rows {
	i, place, found := r.locate(changed.node.Name)
	if i == len(r.chunks) {
		return rows{chunks: append(slices.Clone(r.chunks), []*row{changed}), count: r.count + 1}
	}
	chunks, chunk := slices.Clone(r.chunks), slices.Clone(r.chunks[i])
	if found {
		chunk[place] = changed
		chunks[i] = chunk
		return rows{chunks: chunks, count: r.count}
	}
	chunk = slices.Insert(chunk, place, changed)
	chunks[i] = chunk
	if half := len(chunk) / 2; len(chunk) > chunkLimit {
		chunks[i] = slices.Clip(chunk[:half])
		chunks = slices.Insert(chunks, i+1, slices.Clone(chunk[half:]))
	}
	return rows{chunks: chunks, count: r.count + 1}
}

// withAll is with for many rows, which need not be in order. Each name must come once.
func (r rows) withAll(changed []*row) rows {
	result, added := rows{chunks: slices.Clone(r.chunks), count: r.count}, []*row(nil)
	own := make([]bool, len(r.chunks))
	for _, row := range changed {
		i, place, found := r.locate(row.node.Name)
		if !found {
			added = append(added, row)
			continue
		}
		if !own[i] {
			result.chunks[i], own[i] = slices.Clone(r.chunks[i]), true
		}
		result.chunks[i][place] = row
	}
	for _, row := range added {
		result = result.with(row)
	}
	return result
}

func (r rows) without(name string) rows {
	i, place, found := r.locate(name)
	if !found {
		return r
	}
	chunks := slices.Clone(r.chunks)
	if len(chunks[i]) == 1 {
		return rows{chunks: slices.Delete(chunks, i, i+1), count: r.count - 1}
	}
	chunks[i] = slices.Delete(slices.Clone(chunks[i]), place, place+1)
	return rows{chunks: chunks, count: r.count - 1}
}
