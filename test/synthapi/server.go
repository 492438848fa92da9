// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/headroom-dev/headroom/test/synthapi/fleet"
)

// Options say what is served. The zero value of each but Fleet means its default.
type Options struct {
	// Fleet is what there is at first.
	Fleet fleet.Options
	// Address is what the server listens on: a free port of loopback unless told.
	Address string
	// History is how many changes of each resource are remembered: 400,000 unless told, of 100 bytes each.
	History int
	// BookmarkInterval is how often a watch is told its version: once a minute unless told, as the API server does.
	BookmarkInterval time.Duration
}

func (o *Options) complete() {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.History <= 0 {
		o.History = 400_000
	}
	if o.BookmarkInterval <= 0 {
		o.BookmarkInterval = time.Minute
	}
}

// Server is one that runs.
type Server struct {
	// URL is where it is, such as http://127.0.0.1:34567.
	URL string
	// Fleet is what made the nodes and pods.
	Fleet *fleet.Fleet

	options Options
	world   *world
	http    http.Server
	ended   chan struct{}
	counts  counts

	churning churning

	faultsMu sync.Mutex
	faults   map[string]Faults // by resource; guarded by faultsMu
	drawn    uint64            // guarded by faultsMu
}

// counts are what the server has done so far.
type counts struct {
	lists, watches, events, listBytes, watchBytes atomic.Uint64
	watching                                      atomic.Int64
}

// Counts are what a server has done so far. Events are those of watches that have ended.
type Counts struct {
	Lists, Watches, Events, ListBytes, WatchBytes uint64
	// Watching is how many watches there are now.
	Watching int64
}

// Counts returns them.
func (s *Server) Counts() Counts {
	c := &s.counts
	return Counts{c.lists.Load(), c.watches.Load(), c.events.Load(), c.listBytes.Load(), c.watchBytes.Load(), c.watching.Load()}
}

// Start makes the fleet and serves until Stop.
func Start(o Options) (*Server, error) {
	o.complete()
	f, err := fleet.New(o.Fleet)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.Address) //nolint:noctx // it only binds
	if err != nil {
		return nil, err
	}
	s := &Server{
		URL: "http://" + listener.Addr().String(), Fleet: f,
		options: o, world: newWorld(f, o.History), ended: make(chan struct{}), faults: map[string]Faults{},
	}
	s.addNamespaces()
	ctx, cancel := context.WithCancel(context.Background())
	s.http = http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	s.http.RegisterOnShutdown(cancel)
	go func() {
		defer close(s.ended)
		_ = s.http.Serve(listener) // it ends by Stop
	}()
	return s, nil
}

// Stop ends all requests and the server.
func (s *Server) Stop() {
	s.churning.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // some clients don't let go
	}
	<-s.ended
}

// Version is the newest resource version.
func (s *Server) Version() uint64 {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return s.world.version
}

// RESTConfig is for a client of this server, in JSON unless it says otherwise, and with no bound on its rate.
func (s *Server) RESTConfig() *rest.Config { return &rest.Config{Host: s.URL, QPS: -1} }

// WriteKubeconfig writes a kubeconfig for this server to a file.
func (s *Server) WriteKubeconfig(path string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["synthapi"] = &clientcmdapi.Cluster{Server: s.URL}
	config.Contexts["synthapi"] = &clientcmdapi.Context{Cluster: "synthapi"}
	config.CurrentContext = "synthapi"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write the kubeconfig %s: %w", path, err)
	}
	return nil
}
