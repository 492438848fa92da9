// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const cgroupMount = "/sys/fs/cgroup"

// cgroupV2 says whether this machine has control groups version 2 alone. A hybrid one counts as version 1: that's what container
// runtimes use there.
func cgroupV2() bool {
	var fs unix.Statfs_t
	return unix.Statfs(cgroupMount, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
}

// createCgroup makes a node's control group, in which its pods are, in every hierarchy.
func createCgroup(name string) error {
	if cgroupV2() {
		return createCgroupV2(name)
	}
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range hierarchies {
		dir := filepath.Join(hierarchy, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // as all control groups are
			return fmt.Errorf("make a control group: %w", err)
		}
		// A new cpuset is empty, and nothing can run in an empty one.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(hierarchy, file))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil { //nolint:gosec // a file of the kernel
				return err
			}
		}
	}
	return nil
}

// createCgroupV2 makes the group and lets it use whatever controllers its parent may use.
func createCgroupV2(name string) error {
	dir := filepath.Join(cgroupMount, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // as all control groups are
		return fmt.Errorf("make a control group: %w", err)
	}
	controllers, err := os.ReadFile(filepath.Join(cgroupMount, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		for _, group := range []string{cgroupMount, dir} {
			// One that can't be used is missed by the kubelet in plain words, if it needs it at all.
			_ = os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+controller), 0o644) //nolint:gosec // a file of the kernel
		}
	}
	return nil
}

// cgroupHierarchies are the folders of all hierarchies: several of version 1, and on a hybrid machine one of version 2.
func cgroupHierarchies() ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseHierarchies(string(mounts)), nil
}

// parseHierarchies reads the hierarchies right below cgroupMount from a mountinfo file.
func parseHierarchies(mountinfo string) []string {
	var dirs []string
	for line := range strings.Lines(mountinfo) {
		_, fs, _ := strings.Cut(line, " - ")
		point, ok := mountPoint(line)
		if ok && strings.HasPrefix(fs, "cgroup") && filepath.Dir(point) == cgroupMount && !slices.Contains(dirs, point) {
			dirs = append(dirs, point)
		}
	}
	return dirs
}

// removeCgroup ends every process in a node's control group, its pods, and removes the group.
func removeCgroup(name string) error {
	if name == "" {
		return nil
	}
	roots := []string{filepath.Join(cgroupMount, name)}
	if !cgroupV2() {
		hierarchies, err := cgroupHierarchies()
		if err != nil {
			return err
		}
		roots = roots[:0]
		for _, hierarchy := range hierarchies {
			roots = append(roots, filepath.Join(hierarchy, name))
		}
	}
	var errs []error
	for _, root := range roots {
		errs = append(errs, emptyCgroup(root))
	}
	return errors.Join(errs...)
}

// emptyCgroup kills what runs at and below a group and removes it, the innermost first.
func emptyCgroup(root string) error {
	var groups []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, group := range slices.Backward(groups) {
		if err := end(0, cgroupProcesses(group)...); err != nil {
			return err
		}
		err := os.Remove(group)
		for range 40 {
			if !errors.Is(err, unix.EBUSY) {
				break
			}
			time.Sleep(25 * time.Millisecond) // the kernel takes a moment to let go of the dead
			err = os.Remove(group)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a control group: %w", err)
		}
	}
	return nil
}

// cgroupProcesses are the processes in a group.
func cgroupProcesses(group string) []Process {
	content, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var found []Process
	for field := range bytes.FieldsSeq(content) {
		pid, err := strconv.Atoi(string(field))
		if err != nil {
			continue
		}
		if p, err := processOf("container", pid); err == nil {
			found = append(found, p)
		}
	}
	return found
}
