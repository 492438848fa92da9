// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/headroom-dev/headroom/webhook"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
)

// The peers.
const (
	// Bare is net/http: it finds the request's UID and admits. What is dearer is so for what it does; nothing in Go is cheaper.
	Bare = "bare"
	// ControllerRuntime is a webhook of sigs.k8s.io/controller-runtime that admits at once.
	ControllerRuntime = "controller-runtime"
	// ControllerRuntimeTyped decodes the pod first, as nearly every webhook of controller-runtime does.
	ControllerRuntimeTyped = "controller-runtime-typed"
	// SameDecoding is Headroom's own handler with its own decoding and its own answer, but for the decision, which is always the
	// same one.
	SameDecoding = "same-decoding"
	// Headroom is Headroom's own handler over the ledger of a fleet.
	Headroom = "headroom"
)

// Options say which peer to run.
type Options struct {
	Name string
	// Fleet is what Headroom knows; of SameDecoding, what its one decision comes from.
	Fleet fleet.Spec
}

// listener is where a peer listens: only they and no one else are asked.
type listener struct {
	net.Listener

	certificate *tls.Certificate
	ca          string
}

// Run serves until ctx is done. It writes a [load.Target], without the process, to out once it does.
func Run(ctx context.Context, o Options, out io.Writer) error {
	serve, found := map[string]func(context.Context, *listener, Options) (func() error, error){
		Bare: bare, ControllerRuntime: controllerRuntime, ControllerRuntimeTyped: controllerRuntimeTyped,
		SameDecoding: sameDecoding, Headroom: headroom,
	}[o.Name]
	if !found {
		return fmt.Errorf("no peer %q: there are %s", o.Name, strings.Join(Names(), ", "))
	}
	l, err := listen(ctx)
	if err != nil {
		return err
	}
	defer l.Close()
	run, err := serve(ctx, l, o)
	if err != nil {
		return err
	}
	line, err := json.Marshal(load.Target{URL: "https://" + l.Addr().String() + webhook.PodsPath, CA: l.ca})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, string(line)); err != nil {
		return err
	}
	return run()
}

// Names are all peers.
func Names() []string {
	return slices.Clone([]string{Bare, ControllerRuntime, ControllerRuntimeTyped, SameDecoding, Headroom})
}

func listen(ctx context.Context) (*listener, error) {
	certificate, ca, err := NewCertificate()
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &listener{Listener: l, certificate: certificate, ca: ca}, nil
}

func (l *listener) getCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return l.certificate, nil
}
