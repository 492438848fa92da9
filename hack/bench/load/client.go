// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/review"
)

// Target is the webhook that is asked.
type Target struct {
	// URL is where reviews are posted to. CA is who signed its certificate, in PEM; empty for no check.
	URL string `json:"url"`
	CA  string `json:"ca,omitempty"`
	// PID is its process.
	PID int `json:"pid"`
}

// What an API server's client for webhooks does; k8s.io/client-go/transport/cache.go and k8s.io/apiserver/pkg/util/webhook.
const (
	idleConnections  = 25 // idleConnsPerHost
	handshakeTimeout = 10 * time.Second
	keepAlive        = 30 * time.Second
	idleTimeout      = 90 * time.Second // http.DefaultTransport's
	userAgent        = "kube-apiserver-admission"
	// webhookTimeout is the longest that an API server may give a webhook: a decision that takes long shall be measured, and not
	// be given up by who makes it.
	webhookTimeout = "30s"
	answerTimeout  = time.Minute
)

// client asks one webhook. It is safe for concurrent use.
type client struct {
	http        *http.Client
	url         string
	bodies      *review.Bodies
	buffers     sync.Pool
	connections atomic.Int64 // that were made
	number      atomic.Uint64
}

func newClient(t Target, bodies *review.Bodies) (*client, error) {
	config, err := t.tls()
	if err != nil {
		return nil, err
	}
	c := &client{url: t.URL + "?timeout=" + webhookTimeout, bodies: bodies}
	c.buffers.New = func() any { return new(bytes.Buffer) }
	dialer := &net.Dialer{Timeout: keepAlive, KeepAlive: keepAlive}
	c.http = &http.Client{Timeout: answerTimeout, Transport: &http.Transport{
		TLSHandshakeTimeout: handshakeTimeout, TLSClientConfig: config, MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: idleTimeout,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c.connections.Add(1)
			return dialer.DialContext(ctx, network, address)
		},
	}}
	return c, nil
}

// tls asks for HTTP/1.1 alone, as an API server does of every webhook that is not on its own machine.
func (t Target) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	if t.CA == "" {
		config.InsecureSkipVerify = true // a server on this machine that was started a moment ago
		return config, nil
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
		return nil, errors.New("the webhook's CA is no certificate in PEM")
	}
	return config, nil
}

// ask posts one review and returns an error unless it is admitted under its own UID.
func (c *client) ask(ctx context.Context) error {
	n := c.number.Add(1)
	buffer := c.buffers.Get().(*bytes.Buffer)
	defer c.buffers.Put(buffer)
	buffer.Reset()
	buffer.Write(c.bodies.Append(buffer.AvailableBuffer(), n))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(buffer.Bytes()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, */*")
	request.Header.Set("User-Agent", userAgent)
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: %s", response.StatusCode, answer)
	case !bytes.Contains(answer, []byte(review.UID(n))):
		return fmt.Errorf("an answer to another request than %s: %s", review.UID(n), answer)
	case !bytes.Contains(answer, []byte(`"allowed":true`)):
		return fmt.Errorf("not admitted: %s", answer)
	default:
		return nil
	}
}
