// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Defaults of a client's limits.
const (
	DefaultPort         = 10250
	DefaultTimeout      = 10 * time.Second
	DefaultMaxBodyBytes = 2 << 20 // what is needed has 10 kB, with 100 network interfaces 30 kB
)

// Target is one kubelet.
type Target struct {
	// Node is the name of the Node object.
	Node string
	// Address is the node's InternalIP or host name, for a direct client only. An IPv6 address has no brackets.
	Address string
	// Port is 0 for DefaultPort. For a direct client only.
	Port int
}

// Client asks kubelets. Direct and ViaAPIServer make one.
type Client struct {
	// send returns what the other side answers, and what ends the exchange and must be called in the end, unless it fails.
	send         func(*http.Request) (response *http.Response, end func(), err error)
	timeout      time.Duration
	maxBodyBytes int64
	remainder    *remainder
	received     atomic.Uint64
	// apiServer is nil for a direct client.
	apiServer *url.URL
	token     func(context.Context) (string, error)
	rejected  func(token string)
	subject   string
}

// Stats returns a sample of the target's image file system. It reads no more of
// the answer than it needs. Errors are *Error.
func (c *Client) Stats(ctx context.Context, t Target) (Stats, error) {
	var stats Stats
	err := c.ask(ctx, t, "stats/summary", "nodes/stats", func(a *answer) error {
		if a.date.IsZero() {
			return failure(ReasonMalformed, nil, "%s answers without a Date, so that nobody knows how old its numbers are", c.where(t))
		}
		part, err := readNodePart(a)
		if err != nil {
			return err
		}
		stats, err = statsOf(part, a.date)
		return err
	})
	return stats, err
}

// Config returns the target's configuration. It changes only when the kubelet
// restarts. Errors are *Error.
func (c *Client) Config(ctx context.Context, t Target) (Config, error) {
	var config Config
	err := c.ask(ctx, t, "configz", "nodes/configz", func(a *answer) error {
		body, err := io.ReadAll(a)
		if err != nil {
			return err
		}
		config, err = ParseConfigz(body)
		return err
	})
	return config, err
}

// ReadBytes returns how many bytes have come from kubelets, with TLS and HTTP, and
// false for a client through the API server, which does not count.
func (c *Client) ReadBytes() (uint64, bool) { return c.received.Load(), c.apiServer == nil }

// ask asks the target for a path. read gets the answer.
func (c *Client) ask(ctx context.Context, t Target, path, resource string, read func(*answer) error) error {
	if err := c.exchange(ctx, t, path, resource, read); err != nil {
		return named(transportFailure(err, c.where(t)), t)
	}
	return nil
}

func (c *Client) exchange(ctx context.Context, t Target, path, resource string, read func(*answer) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(t, path), http.NoBody)
	if err != nil {
		return failure(ReasonOther, err, "its address %q makes no URL", t.Address)
	}
	request.Header.Set("Accept", "application/json")
	var token string
	if c.token != nil {
		if token, err = c.token(ctx); err != nil {
			return tokenFailure(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, end, err := c.send(request)
	if err != nil {
		return withoutURL(err)
	}
	defer end()
	a := &answer{from: response.Body, left: c.maxBodyBytes}
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(a) // What can't be read of it is not said.
		if response.StatusCode == http.StatusUnauthorized && c.rejected != nil {
			c.rejected(token)
		}
		return c.statusFailure(t, response.StatusCode, body, path, resource)
	}
	// Stats can't do without it and says so; Config does not look at it.
	if a.date, err = http.ParseTime(response.Header.Get("Date")); err != nil {
		a.date = time.Time{}
	}
	switch err := read(a); {
	case err == nil:
		c.remainder.read(response.Body, cancel)
		return nil
	case errors.Is(a.fault, errTooLarge):
		return failure(ReasonTooLarge, nil, "%s answers with more than %d bytes to /%s: not read", c.where(t), c.maxBodyBytes, path)
	case a.fault != nil:
		return a.fault
	default:
		return err
	}
}

func (c *Client) url(t Target, path string) string {
	if c.apiServer != nil {
		return c.apiServer.JoinPath("api", "v1", "nodes", url.PathEscape(t.Node), "proxy", path).String()
	}
	port := t.Port
	if port == 0 {
		port = DefaultPort
	}
	return (&url.URL{Scheme: "https", Host: net.JoinHostPort(t.Address, strconv.Itoa(port)), Path: "/" + path}).String()
}

func (c *Client) where(t Target) string {
	if c.apiServer != nil {
		return "the kubelet (through the API server)"
	}
	port := t.Port
	if port == 0 {
		port = DefaultPort
	}
	return "the kubelet at " + net.JoinHostPort(t.Address, strconv.Itoa(port))
}

// statusFailure is the sentence for an answer that is not 200 OK.
func (c *Client) statusFailure(t Target, status int, body []byte, path, resource string) *Error {
	if c.apiServer != nil {
		if e := proxyFailure(status, body, resource, c.subject); e != nil {
			return e
		}
	}
	where := c.where(t)
	switch {
	case status == http.StatusUnauthorized:
		return failure(ReasonUnauthorized, nil, "%s does not accept the token: check that it authenticates by webhook (authentication.webhook.enabled)", where)
	case status == http.StatusForbidden:
		return failure(ReasonForbidden, nil, "%s refuses %q: grant it to %s", where, "get "+resource, c.subject)
	case status == http.StatusNotFound && path == "configz":
		return failure(ReasonOther, nil, "%s has no /configz: set enableDebuggingHandlers to true in its configuration", where)
	case 300 <= status && status < 400:
		return failure(ReasonOther, nil, "%s answers /%s with a redirect (status %d), which is not followed: check the address and port", where, path, status)
	case status == http.StatusGatewayTimeout:
		return failure(ReasonTimeout, nil, "%s did not answer in time: check the network path to it", where)
	default:
		return failure(ReasonOther, nil, "%s answers /%s with status %d %s", where, path, status, http.StatusText(status))
	}
}

// proxyFailure is the sentence for what an API server answers in the kubelet's
// place, or passes on; nil where there is nothing particular to say.
func proxyFailure(status int, body []byte, resource, subject string) *Error {
	switch status {
	case http.StatusUnauthorized:
		return failure(ReasonUnauthorized, nil, "the API server or the kubelet behind it does not accept the credentials: log in again")
	case http.StatusForbidden:
		// A Status object comes from the API server itself, plain text from the kubelet.
		if strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
			return failure(ReasonForbidden, nil, "the API server refuses to %q: grant it to %s", "get nodes/proxy", subject)
		}
		return failure(ReasonForbidden, nil, "the kubelet refuses %q to the API server: grant it to the user of its kubelet client certificate", "get "+resource)
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return failure(ReasonRefused, nil, "the API server can't reach the kubelet (status %d): check that it runs", status)
	default:
		return nil
	}
}

func tokenFailure(err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return failure(ReasonTimeout, err, "no token to ask the kubelet with came in time")
	}
	return failure(ReasonOther, err, "there is no token to ask the kubelet with")
}

// withoutURL drops the method and URL that net/http puts before an error: the
// sentence says where already.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// named returns a copy of err that says which node.
func named(err error, t Target) error {
	if err == nil {
		return nil
	}
	own, ok := errors.AsType[*Error](err)
	if !ok {
		return fmt.Errorf("node %q: %w", t.Node, err)
	}
	copied := *own
	copied.Node = t.Node
	return &copied
}
