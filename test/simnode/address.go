// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"fmt"
	"net"
	"strconv"
)

// addresses hands out where nodes listen.
type addresses struct {
	// all is the one address for all nodes; nil gives each its own.
	all net.IP
}

func newAddresses(listen string) (addresses, error) {
	switch listen {
	case "":
		return addresses{}, nil
	case "auto":
		ip, err := outwardIP()
		return addresses{all: ip}, err
	}
	ip := net.ParseIP(listen)
	if ip == nil {
		return addresses{}, fmt.Errorf("listen address %q: not an IP address; give one, or \"auto\"", listen)
	}
	return addresses{all: ip}, nil
}

// outwardIP is the first IPv4 address of this machine that others can reach; nil
// when there is none.
func outwardIP() (net.IP, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("listen address \"auto\": %w", err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.To4(), nil
		}
	}
	return nil, nil
}

// listen opens the port of the index-th node.
func (a addresses) listen(index, port int) (net.Listener, error) {
	if a.all != nil {
		return net.Listen("tcp", net.JoinHostPort(a.all.String(), strconv.Itoa(port)))
	}
	own := net.IPv4(127, 77, byte(index/250%250), byte(index%250+1)) //nolint:gosec // both are less than 256
	listener, err := net.Listen("tcp", net.JoinHostPort(own.String(), strconv.Itoa(port)))
	if err != nil && port == 0 {
		return net.Listen("tcp", "127.0.0.1:0") // not every system has all of 127/8
	}
	return listener, err
}
