// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// reach is how far a connection to a name may go.
type reach int

const (
	publicOnly reach = iota // nobody listed the name: a redirect's target, a token server
	privateToo              // the policy lists the name
	anywhere                // an endpoint of the operator, or an address that the policy lists as such
)

// notPublic are networks that no public registry lives in, besides those that
// netip.Addr has methods for.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b:1::/48"), // RFC 8215: gateways to whatever IPv4 network they like
	netip.MustParsePrefix("2001::/32"),      // Teredo
	netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("2001:db8::/32"),
}

var (
	sharedNetwork = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	// Instance metadata servers that do not have link-local addresses: of AWS, Alibaba Cloud and Azure.
	metadataServers = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16")}
	nat64           = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour       = netip.MustParsePrefix("2002::/16")
)

// permits says whether a connection of this reach may go to an address.
func (r reach) permits(a netip.Addr) bool {
	a = embedded(a.WithZone("").Unmap())
	switch {
	case r == anywhere:
		return true
	case !a.IsValid(), a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast():
		return false
	}
	if slices.Contains(metadataServers, a) {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return r == privateToo || (!a.IsPrivate() && !sharedNetwork.Contains(a))
}

// embedded returns the IPv4 address that a gateway would take an IPv6 address for.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	default:
		return a
	}
}

// reachOf says how far a connection to a host and port may go. It depends on
// nothing else, so that a connection that is kept open is used for the same name only.
func (r *Resolver) reachOf(address string) reach {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return publicOnly
	}
	for _, e := range r.o.Endpoints {
		if e.address() == address {
			return anywhere
		}
	}
	listed := r.listed(net.JoinHostPort(host, port)) ||
		(port == "443" && (r.listed(host) || r.listed("["+host+"]"))) ||
		(host == dockerHubServer && r.listed(dockerHub))
	if !listed {
		return publicOnly
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return anywhere
	}
	return privateToo
}

// address returns the host and port that a connection to the endpoint is made to.
func (e Endpoint) address() string {
	if _, _, err := net.SplitHostPort(e.host); err == nil {
		return e.host
	}
	host := e.host
	if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	if e.plainHTTP {
		return net.JoinHostPort(host, "80")
	}
	return net.JoinHostPort(host, "443")
}

// dial connects and checks the address after the name was resolved, for each
// address that is tried: a name can't mean another one by the time it is used.
func (r *Resolver) dial(ctx context.Context, network, address string) (net.Conn, error) {
	allowed := r.reachOf(address)
	dialer := net.Dialer{
		Timeout:   5 * time.Second,
		KeepAlive: 30 * time.Second,
		Control: func(_, resolved string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(resolved)
			if err != nil || !allowed.permits(to.Addr()) {
				return fmt.Errorf("%s is %s: %w", address, resolved, errBlocked)
			}
			return nil
		},
	}
	return dialer.DialContext(ctx, network, address)
}
