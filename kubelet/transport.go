// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// DirectOptions say how to ask kubelets on their own port.
type DirectOptions struct {
	// CAFile and CAPEM hold the certificates that sign the kubelets' serving
	// certificates. One of CAFile, CAPEM and InsecureTLS must be set.
	CAFile string
	CAPEM  []byte
	// InsecureTLS switches off the check of serving certificates: whoever can
	// take a node's address gets the token, which is why it should be one that
	// can do nothing else.
	InsecureTLS bool
	// Token returns the bearer token to send. Required; (*TokenSource).Token is one.
	Token func(context.Context) (string, error)
	// Rejected is told of a token that a kubelet answered 401 to. May be nil.
	Rejected func(token string)
	// Subject is whom to grant permissions to, for the sentence of an error,
	// such as `ServiceAccount "headroom-system/headroom-kubelet-reader"`.
	Subject string
	// Timeout is for a whole call, 0 for DefaultTimeout.
	Timeout time.Duration
	// MaxBodyBytes is how much of an answer is read for what is needed of it, 0 for
	// DefaultMaxBodyBytes.
	MaxBodyBytes int64
	// SpareBandwidth is how many bytes a second are read, in all, of what follows in
	// answers: 0 for DefaultSpareBandwidth, negative for none.
	SpareBandwidth int
}

// Direct returns a client that asks each kubelet at its address over HTTPS, by
// HTTP/2 where it can, never through a proxy.
//
// Each question has its own connection. An open one takes 60 kB and more, which
// with thousands of nodes that are asked twice a minute is more than all else that
// is known about them, and a handshake half a millisecond. HTTP/2, which a kubelet
// speaks, is for its flow control: by HTTP/1.1 a kubelet sends 70 kB or more before
// it learns that nobody listens any more.
func Direct(o DirectOptions) (*Client, error) {
	if o.Token == nil {
		return nil, errors.New("no token to ask kubelets with: set Token")
	}
	config, trusted, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	c := &Client{token: o.Token, rejected: o.Rejected, subject: o.Subject}
	c.send = newConnections(config, trusted, &c.received).send
	c.limits(o.Timeout, o.MaxBodyBytes)
	if o.SpareBandwidth != 0 {
		c.remainder = newRemainder(max(o.SpareBandwidth, 0))
	}
	if c.subject == "" {
		c.subject = "the owner of the token"
	}
	return c, nil
}

// ViaAPIServer returns a client that asks kubelets through the API server's
// node proxy, with the rights of the given client (rest.HTTPClientFor). host is
// the API server's URL. The client's Timeout, if it has one, bounds each
// question. Callers need "get nodes/proxy", which also allows to
// run commands in containers.
func ViaAPIServer(client *http.Client, host string) (*Client, error) {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	base, err := url.Parse(host)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("the API server's address %q is not a URL such as https://10.0.0.1:6443", host)
	}
	copied := *client
	copied.CheckRedirect = neverRedirect
	c := &Client{apiServer: base, subject: "the user of this kubeconfig"}
	c.send = func(request *http.Request) (*http.Response, func(), error) {
		response, err := copied.Do(request)
		if err != nil {
			return nil, nil, err
		}
		return response, func() { _ = response.Body.Close() }, nil
	}
	c.limits(client.Timeout, 0)
	// An API server logs an error and counts an aborted request for each answer that it can't pass on. It has sent most of
	// it by then, too: client-go's window is larger than any.
	c.remainder.always(c.timeout)
	return c, nil
}

func (c *Client) limits(timeout time.Duration, maxBodyBytes int64) {
	c.timeout, c.maxBodyBytes = DefaultTimeout, DefaultMaxBodyBytes
	if timeout > 0 {
		c.timeout = timeout
	}
	if maxBodyBytes > 0 {
		c.maxBodyBytes = maxBodyBytes
	}
	c.remainder = newRemainder(DefaultSpareBandwidth)
}

func neverRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// tlsConfig returns what all connections have in common, and whom they trust: nil for anybody.
func (o DirectOptions) tlsConfig() (*tls.Config, *trust, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, CurvePreferences: classical, NextProtos: []string{"h2", "http/1.1"}}
	checked := o.CAFile != "" || len(o.CAPEM) > 0
	switch {
	case o.InsecureTLS && checked:
		return nil, nil, errors.New("kubelet certificates can't be checked by a CA and not checked at once: choose one")
	case o.InsecureTLS:
		config.InsecureSkipVerify = true // asked for by the operator, who is told at start.
		return config, nil, nil
	case !checked:
		return nil, nil, errors.New("nothing to check kubelet certificates with: name a CA file, or switch the check off (insecure)")
	}
	pool := x509.NewCertPool()
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, nil, fmt.Errorf("kubelet CA file: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, nil, fmt.Errorf("kubelet CA file %q holds no PEM certificate", o.CAFile)
		}
	}
	if len(o.CAPEM) > 0 && !pool.AppendCertsFromPEM(o.CAPEM) {
		return nil, nil, errors.New("the kubelet CA holds no PEM certificate")
	}
	return config, newTrust(pool), nil
}
