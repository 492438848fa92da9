// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/webhook"
)

// inBackground runs start until the test ends.
func inBackground(t *testing.T, start func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestNobodyIsSentHereBeforeThereIsAnAnswerToAll(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	source, err := controller.NewPolicySource(fake.NewClientset(), controller.PolicySourceOptions{SyncTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	namespaces, err := controller.NewNamespaces(fake.NewClientset(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New()
	autoscaler, err := controller.NewAutoscalerStatus(fake.NewClientset(), l)
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{ledger: l, policy: source, namespaces: namespaces, autoscaler: autoscaler, webhook: &webhook.Server{
		Listener: listener, Handler: http.NotFoundHandler(),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil },
	}}
	o := newServeOptions()
	o.certFile = filepath.Join(t.TempDir(), "ca")
	if err := os.WriteFile(o.certFile, []byte("CA"), 0o600); err != nil {
		t.Fatal(err)
	}
	register := func(limit time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		ca, err := p.authority(ctx, o, nil)
		return string(ca), err
	}

	inBackground(t, p.webhook.Run)
	p.ledger.MarkSynced()
	if ca, err := register(300 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a policy that was not read: registers with %q, error %v", ca, err)
	}
	if err := p.readiness()["policy"](nil); err == nil {
		t.Error("ready with a policy that was not read")
	}
	inBackground(t, source.Start)
	<-source.Synced()
	if ca, err := register(300 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with namespaces that were not read: registers with %q, error %v", ca, err)
	}
	if err := p.readiness()["namespaces"](nil); err == nil {
		t.Error("ready with namespaces that were not read")
	}
	inBackground(t, namespaces.Start)
	<-namespaces.Synced()
	if ca, err := register(300 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before anybody asked for an autoscaler: registers with %q, error %v", ca, err)
	}
	inBackground(t, autoscaler.Start)
	if ca, err := register(10 * time.Second); ca != "CA" || err != nil {
		t.Errorf("once it was read: %q, error %v", ca, err)
	}
	if !p.ready() {
		t.Error("not ready once everything is there")
	}
}
