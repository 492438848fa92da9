// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package certificate gives the webhook its serving certificate and keeps the API server's trust in it up to date.
//
// By default Headroom is its own authority: a CA in a Secret that the replicas share, and serving keys that live in memory
// only and for a week. A Keeper writes that CA into the caBundle of our own webhook configuration. Where cert-manager is in
// the cluster, its Certificate and its CA injector do both, and only FromFiles is needed.
//
// The package talks to the API server, but never on the request path: GetCertificate answers from memory.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	servertls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// SecretName names the Secret that holds the CA.
const SecretName = "headroom-ca"

// commonName is the subject of the CA.
const commonName = "headroom-ca"

// maxHold is how long a certificate of a new CA waits for the API server to trust that CA.
const maxHold = 30 * time.Second

// Source has a serving certificate. Start has to run for it to get one, and to renew it.
type Source struct {
	source servertls.CertificateSource
}

// GetCertificate returns the certificate, or an error while there is none. It is for crypto/tls.Config.
func (s *Source) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.source.GetCertificate(hello)
}

// Start makes and renews the certificate until ctx is done. It has the form of a controller-runtime Runnable.
func (s *Source) Start(ctx context.Context) error {
	// cert-manager informs of each attempt, one every second while there is no CA. What is wrong it logs as an error,
	// to klog's logger where ctx has none.
	return s.source.Start(klog.NewContext(ctx, klog.FromContext(ctx).V(1)))
}

// Options is what a certificate of our own authority needs.
type Options struct {
	// Config is for the API server that keeps the Secret.
	Config *rest.Config
	// Namespace is where the Secret SecretName is.
	Namespace string
	// Names are the DNS names and IP addresses that the API server calls us by, see ServiceNames and URLNames.
	Names []string
	// Trusted reports whether the API server trusts a certificate by now, see Keeper.Trusts. If set, the certificate of a new
	// CA is held back, and the old one served, until it does; for half a minute at most.
	Trusted func(*x509.Certificate) bool
	// Clock is the real one if nil.
	Clock clock.PassiveClock
}

// SelfSigned returns a Source with our own authority. If the Secret does not exist, it is made.
func SelfSigned(o Options) (*Source, error) {
	if len(o.Names) == 0 {
		return nil, errors.New("a serving certificate needs at least one name")
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	n := &named{trusted: o.Trusted, clock: o.Clock, Authority: &authority.DynamicAuthority{
		SecretNamespace: o.Namespace,
		SecretName:      SecretName,
		SecretLabels:    map[string]string{"app.kubernetes.io/name": "headroom"},
		RESTConfig:      o.Config,
		CommonName:      commonName,
	}}
	source := &servertls.DynamicSource{Authority: n}
	for _, name := range o.Names {
		if ip := net.ParseIP(name); ip != nil {
			n.addresses = append(n.addresses, ip)
		} else {
			source.DNSNames = append(source.DNSNames, name)
		}
	}
	return &Source{source: source}, nil
}

// FromFiles returns a Source that reads PEM files, and reads them again when they change. It fails if they can't be used
// now; later mistakes leave the last good certificate in place.
func FromFiles(certFile, keyFile string) (*Source, error) {
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		return nil, fmt.Errorf("serving certificate %q with key %q: %w: correct --tls-cert-file and --tls-key-file", certFile, keyFile, err)
	}
	return &Source{source: &servertls.FileCertificateSource{
		CertPath: certFile,
		KeyPath:  keyFile,
		// A volume that is gone for two minutes must not end a process whose certificate is still good.
		MaxFailures: math.MaxInt,
	}}, nil
}

// named adds to an Authority what cert-manager's DynamicSource does not do: IP addresses, without which no certificate is
// good for https://127.0.0.1 (crypto/x509 does not look for addresses among DNS names), and patience after a rotation.
type named struct {
	servertls.Authority
	addresses []net.IP
	trusted   func(*x509.Certificate) bool
	clock     clock.PassiveClock

	mu sync.Mutex // guards what follows
	// issued is set once there is a certificate to go on with.
	issued bool
	// heldSince is when the first certificate was held back, zero if none is.
	heldSince time.Time
}

// Sign implements servertls.Authority. DynamicSource tries again a second after an error.
func (n *named) Sign(template *x509.Certificate) (*x509.Certificate, error) {
	template.IPAddresses = n.addresses
	cert, err := n.Authority.Sign(template)
	if err != nil {
		return nil, err
	}
	if n.hold(cert, n.clock.Now()) {
		return nil, fmt.Errorf("the API server does not trust the new CA yet: %w", authority.ErrCertificateNotAvailable)
	}
	return cert, nil
}

func (n *named) hold(cert *x509.Certificate, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.issued && n.trusted != nil && !n.trusted(cert) {
		if n.heldSince.IsZero() {
			n.heldSince = now
		}
		if now.Sub(n.heldSince) < maxHold {
			return true
		}
	}
	n.issued, n.heldSince = true, time.Time{}
	return false
}
