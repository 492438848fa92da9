// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/headroom-dev/headroom/test/simnode/summary"
)

// listen opens the node's port and prepares its server.
func (n *Node) listen(a addresses, port int, c *certificates, reviews *reviewer) error {
	listener, err := a.listen(n.index, port)
	if err != nil {
		return wrapNode(n.spec.Name, err)
	}
	n.listener = listener
	certificate, err := c.serving(n.spec.Name, net.ParseIP(n.ip()))
	if err != nil {
		return wrapNode(n.spec.Name, err)
	}
	n.server = &http.Server{
		Handler: authorized(n.spec.Name, c.clientPool, reviews, n.handler()),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
			ClientAuth: tls.RequestClientCert, NextProtos: []string{"h2", "http/1.1"},
		},
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 90 * time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), // handshakes of clients that do not know the CA
	}
	return nil
}

// handler answers what a kubelet answers, as far as it matters here.
func (n *Node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	mux.HandleFunc("GET /stats/summary", func(w http.ResponseWriter, _ *http.Request) {
		body, err := summary.Encode(n.summary())
		answer(w, body, err)
	})
	mux.HandleFunc("GET /configz", func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.Marshal(map[string]any{"kubeletconfig": n.kubeletConfiguration()})
		answer(w, body, err)
	})
	return mux
}

func answer(w http.ResponseWriter, body []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a client that left needs no answer
}

// serve answers until the node is closed.
func (n *Node) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, n.close)
	defer stop()
	if err := n.server.ServeTLS(n.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		n.log.Error(err, "Kubelet server ended")
	}
}

// close ends the server and everything it is answering. It may be called twice.
func (n *Node) close() {
	n.mu.Lock()
	closed := n.closed
	n.closed = true
	n.mu.Unlock()
	if closed || n.server == nil {
		return
	}
	_ = n.server.Close()
	_ = n.listener.Close() // a server that never served does not close it
}
