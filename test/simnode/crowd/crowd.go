// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crowd runs thousands of kubelets that do nothing but answer: each has an
// address or a port and a serving certificate of its own, and says what a node with
// many pods says. It is for measuring what asking them costs; package simnode has
// kubelets that live.
package crowd

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Options say how many kubelets there are and what they say.
type Options struct {
	Kubelets, Pods, Interfaces int
	// AvailableBytes is what each has left of its disk of 100 GiB; 0 means 60 GiB.
	AvailableBytes int64
	// KubeletAt tells which kubelet's an address of 127.0.0.0/8 is. With it, all of them
	// answer at one port, each at its own address. Without, each has a port of 127.0.0.1.
	KubeletAt func(netip.Addr) (i int, known bool)
}

// Crowd is where they listen, and whom to trust.
type Crowd struct {
	CAPEM []byte
	Ports []int // one for each, or, with KubeletAt, one for all

	servers []*http.Server
}

// Start starts the kubelets. Close ends them.
func Start(o Options, clock func() time.Time) (_ *Crowd, err error) {
	signer, err := newAuthority(clock())
	if err != nil {
		return nil, err
	}
	c := &Crowd{CAPEM: signer.pem}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	mux := (&answers{options: o, clock: clock}).handler()
	if o.KubeletAt != nil {
		listener, err := net.Listen("tcp4", ":0") //nolint:gosec // G102: ownAddresses takes what comes over loopback alone
		if err != nil {
			return nil, err
		}
		at := &certificates{authority: signer, at: o.KubeletAt, kubelets: o.Kubelets, clock: clock, made: map[int]*tls.Certificate{}}
		c.serve(ownAddresses{listener}, mux, &tls.Config{GetCertificate: at.of})
		return c, nil
	}
	for i := range o.Kubelets {
		certificate, err := signer.certificate(nameOf(i), net.IPv4(127, 0, 0, 1), clock())
		if err != nil {
			return nil, err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		c.serve(listener, mux, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	return c, nil
}

// serve answers at a listener until Close. Timeouts and settings are those of
// pkg/kubelet/server, ListenAndServeKubeletServer.
func (c *Crowd) serve(listener net.Listener, handler http.Handler, config *tls.Config) {
	config.MinVersion, config.ClientAuth = tls.VersionTLS12, tls.RequestClientCert
	server := &http.Server{
		Handler: handler, TLSConfig: config, IdleTimeout: 90 * time.Second, ReadTimeout: 4 * time.Hour, WriteTimeout: 4 * time.Hour,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	c.servers = append(c.servers, server)
	c.Ports = append(c.Ports, listener.Addr().(*net.TCPAddr).Port)
	go func() { _ = server.ServeTLS(listener, "", "") }() // it ends by Close
}

// Close ends all kubelets.
func (c *Crowd) Close() {
	for _, server := range c.servers {
		_ = server.Close()
	}
}

func nameOf(i int) string { return fmt.Sprintf("node-%05d", i) }

// ownAddresses hangs up on whoever comes from another machine.
type ownAddresses struct{ net.Listener }

// Accept implements net.Listener.
func (l ownAddresses) Accept() (net.Conn, error) {
	for {
		connection, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if address, is := connection.LocalAddr().(*net.TCPAddr); is && address.IP.IsLoopback() {
			return connection, nil
		}
		_ = connection.Close()
	}
}
