// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// debianPackages have what nodes need and Go modules don't.
const debianPackages = "runc iptables containernetworking-plugins conntrack e2fsprogs iproute2 util-linux mount"

// Available is nil when real nodes can be started on this machine. Otherwise its error says everything that is missing, and how
// to get it.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("real nodes need root: run this as root, or in a virtual machine where you are")
	}
	var missing []string
	for _, name := range []string{"runc", "iptables", "conntrack", "ip", "nsenter", "mount", "mkfs.ext4"} {
		if _, err := find(name); err != nil {
			missing = append(missing, name)
		}
	}
	if _, err := cniPlugins(); err != nil {
		missing = append(missing, "CNI plugins")
	}
	if len(missing) > 0 {
		return fmt.Errorf("real nodes need %s; on Debian: apt-get install -y %s", strings.Join(missing, ", "), debianPackages)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return errors.New("real nodes need loop devices for their disks, and this machine has none (no /dev/loop-control)")
	}
	return capable()
}

// capable tells a root that may do everything from one in a container that may not.
func capable() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	has, err := parseCapabilities(string(status))
	if err != nil {
		return err
	}
	for _, need := range []struct {
		bit  int
		name string
	}{{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, {unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_MKNOD, "CAP_MKNOD"}} {
		if has&(1<<need.bit) == 0 {
			return fmt.Errorf("real nodes need %s, which this root does not have: run it outside of containers, or in a privileged one", need.name)
		}
	}
	return nil
}

// parseCapabilities reads the effective capabilities from /proc/PID/status.
func parseCapabilities(status string) (uint64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	return 0, errors.New("no CapEff line in /proc/self/status")
}

// cniPlugins is the folder with the network plugins.
func cniPlugins() (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if missingPlugin(dir) == "" {
			return dir, nil
		}
	}
	return "", errors.New("the CNI plugins bridge, host-local and loopback are neither in /usr/lib/cni nor in /opt/cni/bin")
}

// missingPlugin names a plugin that dir lacks, or nothing.
func missingPlugin(dir string) string {
	for _, name := range []string{"bridge", "host-local", "loopback"} {
		if _, err := find(filepath.Join(dir, name)); err != nil {
			return name
		}
	}
	return ""
}
