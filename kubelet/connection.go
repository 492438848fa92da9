// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// window is how many bytes a kubelet may send that nobody has asked for yet: what
// is lost when an answer is not read to its end. An ordinary node part fits.
const window = 8 << 10

// classical are the key exchanges that are offered to kubelets. That with ML-KEM, which Go
// offers first, is a seventh of all processor time that asking takes. It keeps from whoever
// records now what a quantum computer may decrypt in years; what is sent here is how full a
// disk is, and a token that is void in ten minutes.
var classical = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}

// connectTimeout bounds the way to a kubelet, and the handshake with it.
const connectTimeout = 5 * time.Second

// connections make one for each question, and hang up after it. A pool would be of no use to
// them, and costs goroutines: here whoever asks shakes hands itself.
type connections struct {
	transport *http.Transport
	dialer    net.Dialer
	config    *tls.Config // without what depends on the kubelet
	trust     *trust      // nil to trust anybody
	received  *atomic.Uint64
}

func newConnections(config *tls.Config, t *trust, received *atomic.Uint64) *connections {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	c := &connections{
		dialer: net.Dialer{Timeout: connectTimeout, KeepAlive: -1}, // none lives long enough for that
		config: config, trust: t, received: received,
	}
	c.transport = &http.Transport{
		DialTLSContext:         c.dial,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &protocols,
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: window, MaxReceiveBufferPerConnection: 64 << 10},
	}
	return c
}

// send is Client.send.
func (c *connections) send(request *http.Request) (response *http.Response, end func(), err error) {
	connection, err := c.transport.NewClientConn(request.Context(), request.URL.Scheme, request.URL.Host)
	if err != nil {
		return nil, nil, err
	}
	end = func() { _ = connection.Close() }
	if response, err = connection.RoundTrip(request); err != nil {
		end()
		return nil, nil, err
	}
	return response, end, nil
}

func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	raw, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := c.config.Clone()
	config.ServerName = host
	if c.trust != nil {
		// The check is of trust, which remembers chains.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(s tls.ConnectionState) error { return c.trust.check(s.PeerCertificates, host) }
	}
	connection := tls.Client(&counted{Conn: raw, received: c.received}, config)
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := connection.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return connection, nil
}

// counted adds up what a connection receives.
type counted struct {
	net.Conn

	received *atomic.Uint64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(uint64(max(n, 0)))
	return n, err
}
