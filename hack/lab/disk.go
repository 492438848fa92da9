// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// defaultDiskBytes is the size of a node's image file system unless said otherwise.
const defaultDiskBytes = 2 << 30

// createDisk makes a file system of its own for a node's images: a sparse file on a loop device, mounted at dir. The kernel frees
// the loop device when it is unmounted.
func createDisk(ctx context.Context, file, dir string, bytes int64) error {
	const least = 64 << 20
	if bytes < least {
		return fmt.Errorf("an image disk of %d bytes is too small: use %d or more", bytes, least)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Truncate(bytes); err != nil {
		f.Close() // the first error counts
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := run(ctx, "mkfs.ext4", "-q", "-F", "-E", "nodiscard", file); err != nil {
		return err
	}
	if err := run(ctx, "mount", "-o", "loop", file, dir); err != nil {
		return fmt.Errorf("%w; if no loop device is free, end other labs, or: losetup -a", err)
	}
	return os.Mkdir(filepath.Join(dir, "containerd"), 0o700)
}

// Statfs asks the node's image file system itself: its size, and what an unprivileged process could still write, which is what
// the kubelet calls available.
func (n *Node) Statfs() (capacityBytes, availableBytes int64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(n.ImageDir, &fs); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", n.ImageDir, err)
	}
	return int64(fs.Blocks) * fs.Bsize, int64(fs.Bavail) * fs.Bsize, nil //nolint:gosec // far below the limits
}
