// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-dev/headroom/fit"
)

// pipes are a network without an operating system, on which time can pass at once.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// every sends the same again and again until the connection is closed.
func every(interval time.Duration, text string) func(net.Conn) {
	return func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
			time.Sleep(interval)
		}
	}
}

func after(first string, then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := io.WriteString(conn, first); err == nil {
			then(conn)
		}
	}
}

// TestSlowClients: whoever lets a connection wait for a request loses it, and with it what it holds; others are served meanwhile.
func TestSlowClients(t *testing.T) {
	head := func(length int) string {
		return fmt.Sprintf("POST %s?timeout=2s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", PodsPath, length)
	}
	silent := func(net.Conn) {}
	cases := map[string]struct {
		plain bool // no TLS
		send  func(net.Conn)
		most  time.Duration
	}{
		"no handshake":               {true, silent, headerTimeout},
		"a handshake and no request": {false, silent, headerTimeout},
		"a header byte by byte":      {false, after("POST / HTTP/1.1\r\nX: ", every(time.Second, "x")), headerTimeout},
		"a body byte by byte":        {false, after(head(1000), every(time.Second, " ")), readTimeout},
		"no body":                    {false, after(head(1000), silent), readTimeout},
		"a large body byte by byte":  {false, after(head(largeBodyBytes+1), every(100*time.Millisecond, " ")), 2 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newPipes()
				h := NewPods(HandlerOptions{Evaluator: evaluatorFunc(func(fit.Request) fit.Decision { return refuse })})
				certificate := selfSigned(t)
				s := &Server{Listener: network, Handler: h, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }}
				ctx, end := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()

				start := time.Now()
				var lost sync.WaitGroup
				for range 2 * maxLargeBodies {
					lost.Go(func() {
						conn, err := network.dial(ctx, "", "")
						if err != nil {
							t.Error(err)
							return
						}
						if !tc.plain {
							conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
						}
						sending := make(chan struct{})
						go func() { tc.send(conn); close(sending) }()
						if _, err := io.Copy(io.Discard, conn); err != nil && !tc.plain && !errors.Is(err, io.ErrUnexpectedEOF) {
							t.Error(err)
						}
						conn.Close()
						if took := time.Since(start); took > tc.most {
							t.Errorf("closed after %v, want %v at most", took, tc.most)
						}
						<-sending
					})
				}
				synctest.Wait()
				asks := &http.Transport{DialContext: network.dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				answer, err := (&http.Client{Transport: asks}).Post("https://h"+PodsPath+"?timeout=2s", "application/json", strings.NewReader(string(reviewOf(t, aPod()))))
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if took := time.Since(start); err != nil || answer.StatusCode != http.StatusOK || decodeAnswer(t, text).Allowed || took > 0 {
					t.Errorf("an ordinary request was answered %d after %v: %s, %v", answer.StatusCode, took, text, err)
				}
				lost.Wait()
				asks.CloseIdleConnections()
				end()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
