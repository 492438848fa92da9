// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"math"
	"path"
	"strings"

	"github.com/headroom-dev/headroom/estimate"
)

const (
	block = 4096
	// inlineLink is the length from which on the target of a symbolic link takes a block (ext4).
	inlineLink = 60
	// maxFolders and maxFolderNames, bytes, bound the memory for folders of one layer; those past it are not counted.
	maxFolders, maxFolderNames = 200_000, 16 << 20
	// maxPath is the longest path that a runtime could unpack (PATH_MAX of Linux).
	maxPath = 4096
)

// counter adds up what the entries of a layer take on a disk.
type counter struct {
	files  int64 // bytes of the blocks of regular files and long links
	sparse int64 // the part of files that runtimes may leave out
	inodes int64 // files, folders, links and devices
	// folders are, by path, "" for the root, the bytes of the entries in it: behind pointers, as writing a number would
	// replace the key by an equal one, which may be a part of a longer string.
	folders map[string]*int64
	names   int // bytes of the strings that those paths are parts of
}

func newCounter() counter { return counter{folders: map[string]*int64{}} }

// add counts one entry; kind is a type of archive/tar.
func (c *counter) add(name string, kind byte, size int64, link string) {
	name = strings.Trim(path.Clean("/"+name), "/")
	if len(name) > maxPath {
		return
	}
	if base := path.Base(name); strings.HasPrefix(base, ".wh..wh.") {
		return // An attribute of the folder, or a file that only aufs knew.
	}
	if kind == tar.TypeDir {
		c.folder(name)
		return
	}
	switch kind {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		c.files = estimate.SaturatingAdd(c.files, blocks(size))
	case tar.TypeSymlink:
		if len(link) >= inlineLink {
			c.files = estimate.SaturatingAdd(c.files, block)
		}
	case tar.TypeLink:
		c.inodes-- // It is another name of an inode that was counted.
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	default:
		return // Headers of the archive itself, and what no runtime unpacks.
	}
	c.inodes++
	c.enter(name)
}

// folder counts a folder, and those above it, unless they were counted before.
func (c *counter) folder(name string) {
	if _, known := c.folders[name]; known || c.names >= maxFolderNames {
		return
	}
	c.names += len(name)
	name = strings.Clone(name) // It may be a part of a longer one; those above it are parts of this.
	for entries := new(int64); ; {
		if _, known := c.folders[name]; known || len(c.folders) >= maxFolders {
			return
		}
		c.folders[name] = entries
		if name == "" {
			return
		}
		c.inodes++
		parent, base := split(name)
		if size, known := c.folders[parent]; known {
			*size += entryBytes(base)
			return
		}
		name, entries = parent, new(entryBytes(base))
	}
}

// enter counts the entry of a file in its folder.
func (c *counter) enter(name string) {
	parent, base := split(name)
	c.folder(parent)
	if size, known := c.folders[parent]; known {
		*size += entryBytes(base)
	}
}

func split(name string) (parent, base string) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// entryBytes is what a name takes in a folder of ext4.
func entryBytes(name string) int64 { return int64(8+len(name)+3) &^ 3 }

// folderBytes is what a folder with entries of so many bytes takes (ext4): one block,
// or leaves of a hash tree, which are about 70 % full, and the block above them.
func folderBytes(entries int64) int64 {
	const dots, checksum, leaf = 24, 12, block * 7 / 10
	if entries+dots+checksum <= block {
		return block
	}
	leaves := (entries + leaf - 1) / leaf
	const pointers = block / 8
	return (leaves + (leaves+pointers-1)/pointers) * block
}

// disk returns what was counted.
func (c *counter) disk() estimate.Bytes {
	likely := c.files
	for _, entries := range c.folders {
		likely = estimate.SaturatingAdd(likely, folderBytes(*entries))
	}
	return estimate.Between(c.files-c.sparse, likely, estimate.SaturatingAdd(likely, likely/100+4*block))
}

// blocks rounds a size up to whole blocks.
func blocks(size int64) int64 {
	if size <= 0 {
		return 0
	}
	if size > math.MaxInt64-block {
		return math.MaxInt64
	}
	return (size + block - 1) / block * block
}
