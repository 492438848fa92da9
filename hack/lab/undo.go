// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// endGrace is how long a program may take to end by itself. What it has written is thrown away, so it is short.
const endGrace = 1 * time.Second

// undo ends everything that s lists and removes everything it has made, nodes first. What is gone already is fine, so it may be
// repeated.
func (s State) undo(ctx context.Context) error {
	if s.BootID != bootID() {
		// The machine was restarted: neither processes nor mounts have survived that, only files.
		var errs []error
		for _, n := range s.Nodes {
			errs = append(errs, os.RemoveAll(n.Folder))
		}
		return errors.Join(errs...)
	}
	var errs []error
	for _, n := range slices.Backward(s.Nodes) {
		if err := n.undo(ctx); err != nil {
			errs = append(errs, fmt.Errorf("node %q: %w", n.Name, err))
		}
	}
	errs = append(errs, end(endGrace, s.Processes...))
	if s.Bridge != "" {
		errs = append(errs, deleteInterface(ctx, s.Bridge))
	}
	return errors.Join(errs...)
}

// undo ends one node: its programs, its containers, its mounts, its network, its folder.
func (n NodeState) undo(ctx context.Context) error {
	errs := []error{end(endGrace, n.Processes...)}
	if n.Folder != "" {
		sockets := shimSockets(n.Folder)
		errs = append(errs, end(0, shims(n.Folder)...))
		errs = append(errs, removeCgroup(n.Cgroup))
		err := unmountBelow(n.Folder)
		if err == nil {
			err = os.RemoveAll(n.Folder)
		}
		errs = append(errs, err)
		removeLogLinks(n.Folder)
		for _, socket := range sockets {
			os.Remove(socket) // mostly gone already
		}
		// The lab's own folder goes with its last node.
		os.Remove(filepath.Dir(n.Folder)) // fails while another node is there
	}
	if n.Interface != "" {
		errs = append(errs, deleteInterface(ctx, n.Interface))
	}
	if n.Namespace != "" {
		errs = append(errs, deleteNamespace(ctx, n.Namespace))
	}
	return errors.Join(errs...)
}

// unmountBelow undoes every mount at or below dir, the last one first.
func unmountBelow(dir string) error {
	for range 3 { // a mount may hide others
		points, err := mountsBelow(dir)
		if err != nil || len(points) == 0 {
			return err
		}
		for _, point := range slices.Backward(points) {
			err := unix.Unmount(point, unix.UMOUNT_NOFOLLOW)
			for range 20 {
				if !errors.Is(err, unix.EBUSY) {
					break
				}
				time.Sleep(50 * time.Millisecond) // the processes that held it are just ending
				err = unix.Unmount(point, unix.UMOUNT_NOFOLLOW)
			}
			if errors.Is(err, unix.EBUSY) {
				err = unix.Unmount(point, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH)
			}
			if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("unmount %s: %w", point, err)
			}
		}
	}
	points, err := mountsBelow(dir)
	if err == nil && len(points) > 0 {
		err = fmt.Errorf("still mounted: %s", strings.Join(points, ", "))
	}
	return err
}

// mountsBelow lists the mount points at or below dir in the order they were made.
func mountsBelow(dir string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close() // only read
	var points []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if point, ok := mountPoint(lines.Text()); ok && (point == dir || strings.HasPrefix(point, dir+"/")) {
			points = append(points, point)
		}
	}
	return points, lines.Err()
}

// mountPoint is the fifth field of a mountinfo line, with its octal escapes resolved.
func mountPoint(line string) (string, bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return "", false
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4]), true
}

// shims finds the container shims of the node in folder: they detach themselves from the containerd that starts them, but name
// its socket on their command line.
func shims(folder string) []Process {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil
	}
	var found []Process
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		args := strings.Split(string(content), "\x00")
		if filepath.Base(args[0]) != "containerd-shim-runc-v2" || !slices.Contains(args, containerdSocket(folder)) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/cmdline", &pid); err != nil {
			continue
		}
		if p, err := processOf("shim", pid); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// shimSockets finds the sockets that shims of the node in folder have made outside of it.
func shimSockets(folder string) []string {
	files, err := filepath.Glob(filepath.Join(containerdState(folder), "*", "*", "*", "bootstrap.json"))
	if err != nil {
		return nil
	}
	var sockets []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if _, rest, ok := strings.Cut(string(content), `"unix://`); ok {
			socket, _, _ := strings.Cut(rest, `"`)
			sockets = append(sockets, socket)
		}
	}
	return sockets
}

// removeLogLinks removes the links to its pods' logs that the kubelet has made outside of its folder.
func removeLogLinks(folder string) {
	const dir = "/var/log/containers"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		link := filepath.Join(dir, entry.Name())
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, folder+"/") {
			os.Remove(link) // a leftover link harms nobody
		}
	}
}
