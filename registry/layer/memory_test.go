// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/headroom-dev/headroom/registry/layer/layertest"
)

// TestTablesTakeLittleMemory: a few KB unpack to 60 MiB that a JSON decoder would keep as one value, more than once.
func TestTablesTakeLittleMemory(t *testing.T) {
	const most = 8 << 20
	long := strings.Repeat("a", 60<<20)
	for what, table := range map[string]string{
		"a name":                    `{"version":1,"entries":[{"name":"` + long + `","type":"reg"}]}`,
		"a name of the second file": `{"version":1,"entries":[{"name":"b","type":"reg"},{"name":"` + long + `","type":"reg"}]}`,
		"what nobody asks for":      `{"version":1,"entries":[{"name":"b","type":"reg","xattrs":{"user.x":"` + long + `"}}]}`,
		"a value before the files":  `{"version":"` + long + `","entries":[]}`,
		"a key":                     `{"` + long + `":1,"entries":[]}`,
		"nothing but space":         `{"version":1,"entries":[` + strings.ReplaceAll(long, "a", " ") + `]}`,
	} {
		t.Run(what, func(t *testing.T) {
			blob := layertest.Stargz(t, []byte(table), layertest.File{Name: "b", Size: 10})
			size := int64(len(blob))
			toc, found := FindTOC(size, blob)
			if !found {
				t.Fatal("the table was not found")
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := MeasureTOC(size, toc, blob[toc.Offset:])
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "a value of more than 1048576 bytes") {
				t.Errorf("%v, want an error about the value", err)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > most {
				t.Errorf("%d bytes were allocated for %d of a blob, want %d at most", taken, size, most)
			}
		})
	}
}

// TestTheLargestEntryIsRead: the bound is beyond what a file may have.
func TestTheLargestEntryIsRead(t *testing.T) {
	c := newCounter()
	entry := `{"name":"` + strings.Repeat("d/", 2000) + `f","type":"reg","size":5000,"xattrs":{"user.x":"` + strings.Repeat("QUFB", 64<<10/3) + `"}}`
	archive, err := c.addTable(strings.NewReader(`{"entries":[` + strings.Repeat(entry+",", 99) + entry + `]}`))
	if err != nil || archive != 100*(record+10*record) || c.inodes != 2000+100 {
		t.Errorf("%d bytes, %d inodes, %v", archive, c.inodes, err)
	}
}

// TestFoldersTakeLittleMemory: names of 4 KB, of which nearly nothing is left in a compressed blob, are not kept without limit.
func TestFoldersTakeLittleMemory(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	c := newCounter()
	long := strings.Repeat("n", 4000)
	for i := range 40_000 { // 160 MB
		c.add(fmt.Sprintf("%s%d", long, i), tar.TypeDir, 0, "")
		c.add(fmt.Sprintf("%d/%s", i, long), tar.TypeReg, 10, "")
	}
	if kept := heap() - before; kept > maxFolderNames+(16<<20) {
		t.Errorf("%d bytes are kept, want about %d", kept, maxFolderNames)
	}
	if files := c.files; files != 40_000*block {
		t.Errorf("%d bytes of files, want all of them", files)
	}
}
