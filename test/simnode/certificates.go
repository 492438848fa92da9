// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// certificateLife is longer than any demo runs.
const certificateLife = 365 * 24 * time.Hour

// certificates signs serving certificates and knows whose client certificates count.
type certificates struct {
	caPEM      []byte
	ca         *x509.Certificate // nil for self-signed certificates
	key        crypto.Signer
	now        time.Time      // when the fleet started
	clientPool *x509.CertPool // nil when no client certificate counts
}

func newCertificates(opts Options) (*certificates, error) {
	c := &certificates{now: opts.Clock.Now()}
	if len(opts.ClientCAPEM) > 0 {
		c.clientPool = x509.NewCertPool()
		if !c.clientPool.AppendCertsFromPEM(opts.ClientCAPEM) {
			return nil, errors.New("client CA: no PEM certificate in it")
		}
	}
	switch {
	case opts.SelfSigned:
		return c, nil
	case len(opts.ServingCACertPEM) > 0:
		pair, err := tls.X509KeyPair(opts.ServingCACertPEM, opts.ServingCAKeyPEM)
		if err != nil {
			return nil, fmt.Errorf("serving CA: %w", err)
		}
		signer, ok := pair.PrivateKey.(crypto.Signer)
		if !ok {
			return nil, errors.New("serving CA: its key cannot sign")
		}
		c.ca, c.key, c.caPEM = pair.Leaf, signer, opts.ServingCACertPEM
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("serving CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "simulated-kubelets"},
		NotBefore: c.now.Add(-time.Hour), NotAfter: c.now.Add(certificateLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("serving CA: %w", err)
	}
	if c.ca, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("serving CA: %w", err)
	}
	c.key, c.caPEM = key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return c, nil
}

// serving makes a node's certificate for its name and address.
func (c *certificates) serving(name string, ip net.IP) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("serving certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}},
		DNSNames: []string{name}, IPAddresses: []net.IP{ip},
		NotBefore: c.now.Add(-time.Hour), NotAfter: c.now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, signer := c.ca, c.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("serving certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return new(big.Int).SetBytes(b[:])
}
