// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-logr/logr"
)

// AddressFlag is the flag that sets Server.Address: errors name it.
const AddressFlag = "--webhook-address"

const (
	headerTimeout = 10 * time.Second
	// readTimeout is for a whole request. An API server that takes longer has given up by then: it waits for 2 seconds.
	readTimeout = 15 * time.Second
	// writeTimeout is more than the longest time that the API server may give a webhook, which is 30 seconds.
	writeTimeout = 45 * time.Second
	// idleTimeout is twice the 90 seconds after which the API server closes its idle connections: if we closed first, a
	// request could be on its way already, and would be lost.
	idleTimeout = 180 * time.Second
	// maxDrain is how long requests under way may still take once the listener is closed.
	maxDrain = 15 * time.Second
)

// Server serves the webhook over TLS until it is told to stop, and then drains.
type Server struct {
	// Address is what to listen on, such as ":9443".
	Address string
	// Listener is used instead of Address if set; Run closes it.
	Listener net.Listener
	// GetCertificate returns the serving certificate, see crypto/tls.Config.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Handler answers, usually an [http.ServeMux] with a [Handler] at PodsPath.
	Handler http.Handler
	// DrainDelay is how long connections are still accepted after the end was asked for: API servers and Services take some
	// time to learn that this replica goes away.
	DrainDelay time.Duration
	// Log gets connection errors at V(2).
	Log logr.Logger

	listening, draining atomic.Bool
}

// Run listens and serves until ctx is done. It then goes on for DrainDelay, closing each connection after its next
// answer, stops accepting, and finishes what is under way. It returns nil after that.
func (s *Server) Run(ctx context.Context) error {
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	server := s.httpServer()
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	s.listening.Store(true)
	defer s.listening.Store(false)
	select {
	case err := <-served:
		return fmt.Errorf("serve the webhook on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	delay := time.NewTimer(s.DrainDelay)
	defer delay.Stop()
	select {
	case err := <-served:
		return fmt.Errorf("serve the webhook on %s: %w", listener.Addr(), err)
	case <-delay.C:
	}
	// The end was asked for: ctx is done, but what is under way may finish.
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxDrain)
	defer cancel()
	err = server.Shutdown(finish)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests under way did not end within %s", maxDrain), server.Close())
	}
	// Always ErrServerClosed after Shutdown or Close.
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// Start is Run, by the name that a controller-runtime manager calls.
func (s *Server) Start(ctx context.Context) error { return s.Run(ctx) }

// Check returns nil when connections are accepted and there is a certificate for them. It is a controller-runtime
// healthz.Checker for /readyz.
func (s *Server) Check(*http.Request) error {
	if !s.listening.Load() {
		return errors.New("the webhook does not listen yet")
	}
	if _, err := s.GetCertificate(&tls.ClientHelloInfo{}); err != nil {
		return fmt.Errorf("the webhook has no serving certificate yet: %w", err)
	}
	return nil
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	if s.Listener != nil {
		return s.Listener, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.Address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %q: the port is in use by another process: stop that or choose another port with %s", s.Address, AddressFlag)
	case err != nil:
		return nil, fmt.Errorf("listen on %q: %w: correct %s", s.Address, err, AddressFlag)
	}
	return listener, nil
}

func (s *Server) httpServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler: http.HandlerFunc(s.serve),
		// HTTP/1.1 only. It is what the API server speaks to webhooks behind a Service anyway (it asks for nothing else, so that
		// requests spread over the replicas instead of sharing one connection to one of them), and it keeps everything that was
		// ever wrong with HTTP/2 servers, such as rapid resets, out of the way that pods are created.
		Protocols: protocols,
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS13,
			NextProtos:     []string{"http/1.1"},
			GetCertificate: s.GetCertificate,
		},
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logr.ToSlogHandler(s.Log.V(2)), slog.LevelInfo),
	}
}

// serve asks the client to come back on a new connection, to another replica, once this one is about to end. Closing idle
// connections at that time instead could lose a request that is on its way.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	s.Handler.ServeHTTP(w, r)
}
