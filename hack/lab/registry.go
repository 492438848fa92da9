// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"log" //nolint:depguard // the registry's own logger is of this kind
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// RegistryHost is the made-up host name that images are pulled from: nodes of the lab ask the lab's registry in its place.
const RegistryHost = "registry.lab"

// Registry is a container registry over plain HTTP.
type Registry struct {
	Address string // host:port

	server *http.Server // nil when it runs in another process
	mu     sync.Mutex
	known  map[Layer]described // guarded by mu; what was pushed before isn't made again only to learn its digest
	base   v1.Layer            // guarded by mu; the program every image runs
}

// StartRegistry starts a registry in this process, with its blobs below dir; it ends with Stop or with the process. The address
// is an IP address, for a free port, or one with a port. Nodes reach it at ControlPlane.Address.
func StartRegistry(ctx context.Context, dir, listenAddress string) (*Registry, error) {
	folder := filepath.Join(dir, "blobs")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	files, err := newBlobs(folder)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(listenAddress) != nil {
		listenAddress = net.JoinHostPort(listenAddress, "0")
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listenAddress)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	logFile, err := os.OpenFile(filepath.Join(dir, "registry.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	r := ConnectRegistry(listener.Addr().String())
	r.server = &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: registry.New(
			registry.WithBlobHandler(files),
			registry.Logger(log.New(logFile, "", log.LstdFlags)),
		),
	}
	go func() {
		defer logFile.Close() // a log
		if err := r.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.New(logFile, "", log.LstdFlags).Print(err)
		}
	}()
	return r, nil
}

// ConnectRegistry names a registry that runs already, for pushing to it.
func ConnectRegistry(address string) *Registry {
	return &Registry{Address: address, known: map[Layer]described{}}
}

// Stop ends the registry, at once; what it held in memory, tags among it, is gone.
func (r *Registry) Stop() error {
	if r.server == nil {
		return nil
	}
	return r.server.Close()
}

// StartRegistry starts a detached registry, as a process of its own: the given executable with the arguments "registry DIR
// ADDRESS" has to call the function StartRegistry and wait.
func (c *ControlPlane) StartRegistry(ctx context.Context, executable string) (*Registry, error) {
	ports, err := freePorts(c.Address, 1)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(c.Address, ports[0])
	p, err := start(command{
		name: "registry", path: executable, args: []string{"registry", filepath.Join(c.Dir, "registry"), address},
		logFile: filepath.Join(c.Dir, "logs", "registry.log"), detached: c.detached,
	}, c.state.recordProcess)
	if err != nil {
		return nil, err
	}
	if err := c.state.update(func(s *State) { s.RegistryAddress = address }); err != nil {
		return nil, err
	}
	r := ConnectRegistry(address)
	return r, p.until(ctx, 30*time.Second, func(ctx context.Context) error {
		return healthy(ctx, http.DefaultClient, "http://"+address+"/v2/")
	})
}

// Registry is the registry that StartRegistry of this control plane has started.
func (c *ControlPlane) Registry() (*Registry, error) {
	address := c.state.read().RegistryAddress
	if address == "" {
		return nil, fmt.Errorf("the lab in %s has no registry", c.Dir)
	}
	return ConnectRegistry(address), nil
}
