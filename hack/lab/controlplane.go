// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// ControlPlaneOptions say what control plane to start.
type ControlPlaneOptions struct {
	// Dir is where everything is written: logs, certificates, kubeconfigs, the audit log. Required. An earlier lab in it that has
	// crashed, or that was started detached, is ended first.
	Dir string
	// Out gets progress lines; nil drops them.
	Out io.Writer
	// ListenAddress is the address the API server listens on: by default 127.0.0.1, or with ForNodes one of the lab's own.
	ListenAddress string
	// ForNodes gives the lab a network that nodes are attached to, with an address of its own. It needs root.
	ForNodes bool
	// ControllerManager and Scheduler say whether those run. Without a controller manager namespaces but "default" have no
	// ServiceAccount, so pods can be created in "default" alone.
	ControllerManager, Scheduler bool
	// APIServerArgs are further flags of kube-apiserver; they win over the lab's own.
	APIServerArgs []string
	// Detached processes outlive the caller, until Down ends them; otherwise they die with it.
	Detached bool
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	Dir        string // absolute
	Kubeconfig string // path of a kubeconfig with all rights
	AuditLog   string // path; one JSON object a line, written before the request is answered
	Host       string // URL of the API server
	Etcd       string // URL of its etcd, which asks for no certificate; "" where Open has found the control plane
	Address    string // what it listens on: other servers that nodes or the API server have to reach listen here, too
	CAFile     string // path of the certificate authority that signs the API server's and the kubelets' serving certificates
	BinDir     string // folder with kubectl and the others

	authority *authority
	state     *stateFile
	detached  bool
	out       io.Writer
}

// StartControlPlane builds what is missing, starts a control plane and returns when its API server is ready. On an error
// nothing is left running.
func StartControlPlane(ctx context.Context, o ControlPlaneOptions) (_ *ControlPlane, err error) {
	if o.Dir == "" {
		return nil, errors.New("the control plane needs a folder: set ControlPlaneOptions.Dir")
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	bin, err := BuildControlPlane(ctx, o.Out)
	if err != nil {
		return nil, err
	}
	state, err := claim(ctx, o.Dir, o.Detached)
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{
		Dir: o.Dir, AuditLog: filepath.Join(o.Dir, "audit.log"), BinDir: bin,
		state: state, detached: o.Detached, out: o.Out,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	began := time.Now()
	if err := c.prepare(ctx, &o); err != nil {
		return nil, err
	}
	if err := c.startAll(ctx, o); err != nil {
		return nil, err
	}
	say(o.Out, "control plane ready in %s at %s\n", time.Since(began).Round(100*time.Millisecond), c.Host)
	return c, nil
}

// prepare empties the folder of what an earlier lab has left, and makes certificates and the network.
func (c *ControlPlane) prepare(ctx context.Context, o *ControlPlaneOptions) (err error) {
	if err := os.MkdirAll(c.Dir, 0o750); err != nil {
		return err
	}
	for _, name := range []string{"etcd", "audit.log", "certificates", "logs", "nodes"} {
		if err := os.RemoveAll(filepath.Join(c.Dir, name)); err != nil {
			return err
		}
	}
	if c.authority, err = newAuthority(filepath.Join(c.Dir, "certificates")); err != nil {
		return err
	}
	c.CAFile = c.authority.caFile()
	if o.ForNodes {
		address, err := createBridge(ctx, c.state)
		if err != nil {
			return err
		}
		if o.ListenAddress == "" {
			o.ListenAddress = address
		}
	}
	if o.ListenAddress == "" {
		o.ListenAddress = "127.0.0.1"
	}
	c.Address = o.ListenAddress
	return nil
}

// startAll starts the programs one after the other.
func (c *ControlPlane) startAll(ctx context.Context, o ControlPlaneOptions) error {
	var err error
	if c.Etcd, err = c.startEtcd(ctx); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx, c.Etcd, o); err != nil {
		return err
	}
	if err := c.state.update(func(s *State) { s.Host, s.BinDir = c.Host, c.BinDir }); err != nil {
		return err
	}
	if o.Scheduler {
		if err := c.startScheduler(); err != nil {
			return err
		}
	}
	if o.ControllerManager {
		return c.startControllerManager(ctx)
	}
	return c.createServiceAccount(ctx)
}

// start starts one program of the control plane.
func (c *ControlPlane) start(name string, args ...string) (*running, error) {
	return start(command{
		name: name, path: filepath.Join(c.BinDir, name), args: args,
		logFile: filepath.Join(c.Dir, "logs", name+".log"), detached: c.detached,
	}, c.state.recordProcess)
}

// Stop ends the control plane and every node attached to it, and undoes what they have made on the machine. Logs, the audit log
// and kubeconfigs stay in Dir. It may be called more than once.
func (c *ControlPlane) Stop() error {
	err := c.state.remove(context.Background())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Open finds a detached control plane that runs in dir.
func Open(dir string) (*ControlPlane, error) {
	state, err := openState(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no lab runs in %s: start one with lab up", dir)
	}
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{
		Dir: state.s.Dir, Host: state.s.Host, BinDir: state.s.BinDir, AuditLog: filepath.Join(state.s.Dir, "audit.log"),
		Kubeconfig: filepath.Join(state.s.Dir, adminKubeconfig), state: state, detached: state.s.Detached, out: io.Discard,
	}
	if c.authority, err = openAuthority(filepath.Join(c.Dir, "certificates")); err != nil {
		return nil, err
	}
	c.CAFile = c.authority.caFile()
	server, err := url.Parse(c.Host)
	if err != nil {
		return nil, err
	}
	c.Address = server.Hostname()
	return c, nil
}

// State is what the lab has on this machine now.
func (c *ControlPlane) State() State { return c.state.read() }
