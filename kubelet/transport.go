// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
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
	// MaxBodyBytes is the largest answer that is read, 0 for DefaultMaxBodyBytes.
	MaxBodyBytes int64
}

// Direct returns a client that asks each kubelet at its address over HTTPS, by
// HTTP/1.1, never through a proxy.
func Direct(o DirectOptions) (*Client, error) {
	if o.Token == nil {
		return nil, errors.New("no token to ask kubelets with: set Token")
	}
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	var protocols http.Protocols
	// With HTTP/2 a dead connection would be noticed only after several calls have timed out on it.
	protocols.SetHTTP1(true)
	c := &Client{
		http: &http.Client{
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
				TLSClientConfig:     config,
				TLSHandshakeTimeout: 5 * time.Second,
				// Summary and configz at once; there is one host for each node.
				MaxConnsPerHost:        2,
				MaxIdleConnsPerHost:    1,
				IdleConnTimeout:        2 * time.Minute,
				MaxResponseHeaderBytes: 64 << 10,
				Protocols:              &protocols,
			},
			CheckRedirect: neverRedirect,
		},
		token:    o.Token,
		rejected: o.Rejected,
		subject:  o.Subject,
	}
	c.limits(o.Timeout, o.MaxBodyBytes)
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
	c := &Client{http: &copied, apiServer: base, subject: "the user of this kubeconfig"}
	c.limits(client.Timeout, 0)
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
}

func neverRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (o DirectOptions) tlsConfig() (*tls.Config, error) {
	checked := o.CAFile != "" || len(o.CAPEM) > 0
	switch {
	case o.InsecureTLS && checked:
		return nil, errors.New("kubelet certificates can't be checked by a CA and not checked at once: choose one")
	case o.InsecureTLS:
		//nolint:gosec // G402: asked for by the operator, who is told at start.
		return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, nil
	case !checked:
		return nil, errors.New("nothing to check kubelet certificates with: name a CA file, or switch the check off (insecure)")
	}
	pool := x509.NewCertPool()
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kubelet CA file: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kubelet CA file %q holds no PEM certificate", o.CAFile)
		}
	}
	if len(o.CAPEM) > 0 && !pool.AppendCertsFromPEM(o.CAPEM) {
		return nil, errors.New("the kubelet CA holds no PEM certificate")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}
