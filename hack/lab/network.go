// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

const (
	// bridgePrefix begins the name of a lab's network interface; its number is that of the lab's subnet, 10.77.NUMBER.0/24.
	bridgePrefix = "headroom"
	subnets      = 250
)

// createBridge makes the network that a lab's nodes are attached to and returns the machine's address in it. Interface names are
// unique on a machine, so making it is also what keeps two labs from taking one number.
func createBridge(ctx context.Context, state *stateFile) (string, error) {
	if os.Geteuid() != 0 {
		return "", errors.New("a network for nodes needs root; start the control plane without nodes, or as root")
	}
	used, err := usedAddresses()
	if err != nil {
		return "", err
	}
	for number := 1; number <= subnets; number++ {
		name := fmt.Sprintf("%s%d", bridgePrefix, number)
		if overlaps(used, number) {
			continue
		}
		err := run(ctx, "ip", "link", "add", "name", name, "type", "bridge")
		if err != nil {
			if _, taken := net.InterfaceByName(name); taken == nil {
				continue
			}
			return "", fmt.Errorf("make a network for the nodes: %w", err)
		}
		if err := state.update(func(s *State) { s.Bridge = name }); err != nil {
			return "", errors.Join(err, deleteInterface(ctx, name))
		}
		address := bridgeAddress(number)
		if err := run(ctx, "ip", "address", "add", address+"/24", "dev", name); err != nil {
			return "", err
		}
		return address, run(ctx, "ip", "link", "set", "dev", name, "up")
	}
	return "", fmt.Errorf("all %d networks 10.77.1.0/24 to 10.77.%d.0/24 are taken: end labs that are no longer needed", subnets, subnets)
}

// bridgeAddress is the machine's address in a lab's network.
func bridgeAddress(number int) string { return fmt.Sprintf("10.77.%d.1", number) }

// nodeAddress is the address of the lab's node with an index from 0 on.
func nodeAddress(number, index int) string { return fmt.Sprintf("10.77.%d.%d", number, index+2) }

// bridgeNumber is the number of a lab's network.
func bridgeNumber(bridge string) (number int, err error) {
	if _, err = fmt.Sscanf(bridge, bridgePrefix+"%d", &number); err != nil {
		return 0, fmt.Errorf("%q is not a network of the lab", bridge)
	}
	return number, nil
}

// usedAddresses are the networks this machine is in.
func usedAddresses() ([]*net.IPNet, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var used []*net.IPNet
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok {
			used = append(used, network)
		}
	}
	return used, nil
}

// overlaps says whether the subnet with that number meets one that is in use.
func overlaps(used []*net.IPNet, number int) bool {
	_, subnet, err := net.ParseCIDR(bridgeAddress(number) + "/24")
	if err != nil {
		return true
	}
	for _, network := range used {
		if network.Contains(subnet.IP) || subnet.Contains(network.IP) {
			return true
		}
	}
	return false
}

// createNamespace makes a node's network: a namespace with a cable to the lab's bridge, and a default route through it. The
// namespace is entered with nsenter, not ip netns exec: that one mounts a new /sys, in which a kubelet finds no cgroups.
func createNamespace(ctx context.Context, bridge string, n NodeState) error {
	number, err := bridgeNumber(bridge)
	if err != nil {
		return err
	}
	inside := n.Interface + "i" // its name until it is inside
	return runAll(ctx, [][]string{
		{"ip", "netns", "add", n.Namespace},
		{"ip", "link", "add", n.Interface, "type", "veth", "peer", "name", inside},
		{"ip", "link", "set", inside, "netns", n.Namespace},
		{"ip", "link", "set", n.Interface, "master", bridge, "up"},
		{"ip", "-n", n.Namespace, "link", "set", inside, "name", "eth0"},
		{"ip", "-n", n.Namespace, "link", "set", "lo", "up"},
		{"ip", "-n", n.Namespace, "link", "set", "eth0", "up"},
		{"ip", "-n", n.Namespace, "address", "add", n.InternalIP + "/24", "dev", "eth0"},
		{"ip", "-n", n.Namespace, "route", "add", "default", "via", bridgeAddress(number)},
	})
}

// runAll runs commands until one fails.
func runAll(ctx context.Context, commands [][]string) error {
	for _, c := range commands {
		if err := run(ctx, c[0], c[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// namespacePath is the file that stands for a network namespace.
func namespacePath(name string) string { return filepath.Join("/run/netns", name) }

// deleteNamespace deletes a network namespace if it is there.
func deleteNamespace(ctx context.Context, name string) error {
	if _, err := os.Stat(namespacePath(name)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return run(ctx, "ip", "netns", "delete", name)
}

// deleteInterface deletes a network interface if it is there.
func deleteInterface(ctx context.Context, name string) error {
	if _, err := net.InterfaceByName(name); err != nil {
		return nil //nolint:nilerr // there is none
	}
	err := run(ctx, "ip", "link", "delete", name)
	if err != nil && strings.Contains(err.Error(), "Cannot find device") {
		return nil // it has just gone with its namespace
	}
	return err
}
