// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"time"

	"k8s.io/client-go/util/cert"
)

// certificates are those of kubelets that share a port: each is made when it is first
// asked for.
type certificates struct {
	at       func(netip.Addr) (i int, known bool)
	kubelets int
	clock    func() time.Time

	mu        sync.Mutex // guards the rest
	authority *authority
	made      map[int]*tls.Certificate
}

// of is the certificate of the kubelet at the address that was called.
func (c *certificates) of(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	called, is := hello.Conn.LocalAddr().(*net.TCPAddr)
	if !is {
		return nil, fmt.Errorf("%s is no address of a kubelet", hello.Conn.LocalAddr())
	}
	i, known := c.at(called.AddrPort().Addr().Unmap())
	if !known || i >= c.kubelets {
		return nil, fmt.Errorf("there is no kubelet at %s", called.IP)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made[i] == nil {
		certificate, err := c.authority.certificate(nameOf(i), called.IP, c.clock())
		if err != nil {
			return nil, err
		}
		c.made[i] = &certificate
	}
	return c.made[i], nil
}

// authority signs serving certificates. It is not safe for concurrent use.
type authority struct {
	pem  []byte
	ca   *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "crowd", NotBefore: now.Add(-time.Hour)}, key)
	if err != nil {
		return nil, err
	}
	return &authority{pem: pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: ca.Raw}), ca: ca, key: key, next: 2}, nil
}

// certificate is as one that a kubelet requests for serving.
func (a *authority) certificate(node string, address net.IP, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}},
		DNSNames: []string{node}, IPAddresses: []net.IP{address}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	a.next++
	der, err := x509.CreateCertificate(rand.Reader, template, a.ca, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
