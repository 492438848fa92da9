// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// entry is a file or a folder of a layer.
type entry struct {
	name   string
	folder bool
	bytes  int64
}

// entries are the files and folders of the layer, in the order of its archive. Only a Source layer names its folders.
func (l Layer) entries() iter.Seq[entry] {
	if l.Content == Source {
		return l.sourceTree()
	}
	return l.numberedFiles()
}

// root is the folder that everything in the layer is in. No two layers have the same, so that none hides another's files.
func (l Layer) root() string { return fmt.Sprintf("data/%s-%d", l.Content, l.Seed) }

// numberedFiles are files of one size, but for the last one, which takes the rest.
func (l Layer) numberedFiles() iter.Seq[entry] {
	count := int64(l.Files)
	if count <= 0 && l.Content == Tiny {
		count = (l.Bytes + tinyFileBytes - 1) / tinyFileBytes
	}
	count = max(count, 1)
	each := l.Bytes / count
	return func(yield func(entry) bool) {
		for i := range count {
			size := each
			if i == count-1 {
				size = l.Bytes - each*(count-1)
			}
			if !yield(entry{name: fmt.Sprintf("%s/%03d/%06d", l.root(), i/1000, i), bytes: size}) {
				return
			}
		}
	}
}

// sourceTree are files of random sizes, with a median of 3 KB and a mean of about 7, in folders of a dozen files each.
func (l Layer) sourceTree() iter.Seq[entry] {
	const perFolder = 12
	const medianBytes, spread = 3000, 1.3 // of a log-normal distribution
	return func(yield func(entry) bool) {
		random := rand.New(rand.NewPCG(l.Seed, 0)) //nolint:gosec // made-up content has to be the same each time
		for i, left := 0, l.Bytes; left > 0 && (l.Files <= 0 || i < l.Files); i++ {
			folder := sourceFolder(l.root(), i/perFolder)
			if i%perFolder == 0 && !yield(entry{name: folder + "/", folder: true}) {
				return
			}
			size := min(left, 1+int64(medianBytes*math.Exp(spread*random.NormFloat64())))
			if i == l.Files-1 {
				size = left
			}
			left -= size
			if !yield(entry{name: fmt.Sprintf("%s/file%d.go", folder, i), bytes: size}) {
				return
			}
		}
	}
}

// sourceFolder names a folder by its number: each has up to eight within it, and comes after the one that it is in.
func sourceFolder(root string, number int) string {
	var b strings.Builder
	b.WriteString(root)
	for _, digit := range strconv.FormatInt(int64(number), 8) {
		b.WriteString("/package")
		b.WriteRune(digit)
	}
	return b.String()
}
