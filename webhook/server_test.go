// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serving runs s on a free port until the test ends, and returns its address and a function that ends it and gives Run's error.
func serving(t *testing.T, s *Server) (address string, stop func() error) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Listener = listener
	if s.GetCertificate == nil {
		certificate := selfSigned(t)
		s.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if !stopped {
			if err := stop(); err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	})
	return listener.Addr().String(), stop
}

func selfSigned(t testing.TB) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func dial(t *testing.T, address string, change func(*tls.Config)) (*tls.Conn, error) {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
	if change != nil {
		change(config)
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*tls.Conn), nil
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func TestTransport(t *testing.T) {
	address, _ := serving(t, &Server{Handler: hello})
	conn, err := dial(t, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if state := conn.ConnectionState(); state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("negotiated version %x and %q, want TLS 1.3 and http/1.1", state.Version, state.NegotiatedProtocol)
	}
	if _, err := dial(t, address, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
	if _, err := dial(t, address, func(c *tls.Config) { c.NextProtos = []string{"h2"} }); err == nil {
		t.Error("a client that speaks only HTTP/2 was accepted")
	}
}

// ask sends one request on a connection that is open, and returns status and body.
func ask(t *testing.T, conn net.Conn) (*http.Response, string) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// TestDrain: while the server drains it still takes connections and tells them to go elsewhere; what is under way when it
// stops accepting is finished.
func TestDrain(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	slow := false
	s := &Server{DrainDelay: 500 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if slow {
			close(started)
			<-release
		}
		_, _ = io.WriteString(w, "done")
	})}
	address, stop := serving(t, s)
	early, err := dial(t, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, _ := ask(t, early); response.Close {
		t.Error("a connection is closed before the end was asked for")
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	eventually(t, "draining", s.draining.Load)

	late, err := dial(t, address, nil)
	if err != nil {
		t.Fatalf("no new connection during the drain delay: %v", err)
	}
	if response, body := ask(t, late); !response.Close || body != "done" {
		t.Errorf("during the drain delay: %q, close %v, want an answer and close", body, response.Close)
	}

	slow = true
	answered := make(chan string, 1)
	go func() { _, body := ask(t, early); answered <- body }()
	<-started
	eventually(t, "listener closed", func() bool {
		conn, err := dial(t, address, nil)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-ended:
		t.Fatalf("Run ended with a request under way: %v", err)
	default:
	}
	close(release)
	if body := <-answered; body != "done" {
		t.Errorf("the request under way got %q", body)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestAPortInUse(t *testing.T) {
	address, _ := serving(t, &Server{Handler: hello})
	err := (&Server{Address: address, Handler: hello}).Run(t.Context())
	want := fmt.Sprintf("listen on %q: the port is in use by another process: stop that or choose another port with --webhook-address", address)
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	err = (&Server{Address: "nonsense", Handler: hello}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "--webhook-address") {
		t.Errorf("error %v does not name the flag", err)
	}
}

func TestCheck(t *testing.T) {
	none := errors.New("not yet")
	var certificate *tls.Certificate
	s := &Server{Handler: hello, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if certificate == nil {
			return nil, none
		}
		return certificate, nil
	}}
	if err := s.Check(nil); err == nil {
		t.Error("ready before it listens")
	}
	_, stop := serving(t, s)
	eventually(t, "listening", s.listening.Load)
	if err := s.Check(nil); !errors.Is(err, none) {
		t.Errorf("error %v without a certificate, want %v", err, none)
	}
	certificate = selfSigned(t)
	if err := s.Check(nil); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := s.Check(nil); err == nil {
		t.Error("ready after the end")
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 seconds", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
