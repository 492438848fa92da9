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
	Asker

	bodies  *review.Bodies
	buffers sync.Pool
	number  atomic.Uint64
}

// Asker posts reviews to one webhook over connections that stay open. It is safe for concurrent use.
type Asker struct {
	http        *http.Client
	url         string
	connections *atomic.Int64 // that were made
}

func newClient(t Target, bodies *review.Bodies) (*client, error) {
	asker, err := NewAsker(t)
	if err != nil {
		return nil, err
	}
	c := &client{Asker: *asker, bodies: bodies}
	c.buffers.New = func() any { return new(bytes.Buffer) }
	return c, nil
}

// NewAsker returns one that has no connection yet.
func NewAsker(t Target) (*Asker, error) {
	config, err := t.tls()
	if err != nil {
		return nil, err
	}
	a := &Asker{url: t.URL + "?timeout=" + webhookTimeout, connections: &atomic.Int64{}}
	dialer := &net.Dialer{Timeout: keepAlive, KeepAlive: keepAlive}
	a.http = &http.Client{Timeout: answerTimeout, Transport: &http.Transport{
		TLSHandshakeTimeout: handshakeTimeout, TLSClientConfig: config, MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: idleTimeout,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			a.connections.Add(1)
			return dialer.DialContext(ctx, network, address)
		},
	}}
	return a, nil
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
	answer, err := c.Ask(ctx, buffer.Bytes())
	switch {
	case err != nil:
		return err
	case !bytes.Contains(answer, []byte(review.UID(n))):
		return fmt.Errorf("an answer to another request than %s: %s", review.UID(n), answer)
	case !bytes.Contains(answer, []byte(`"allowed":true`)):
		return fmt.Errorf("not admitted: %s", answer)
	default:
		return nil
	}
}

// Ask posts a review and returns the answer.
func (a *Asker) Ask(ctx context.Context, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, */*")
	request.Header.Set("User-Agent", userAgent)
	response, err := a.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, answer)
	}
	return answer, err
}

// Close closes its connections.
func (a *Asker) Close() { a.http.CloseIdleConnections() }
