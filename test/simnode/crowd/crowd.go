// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crowd runs thousands of kubelets that do nothing but answer: each has a
// port and a serving certificate of its own, and says what a node with many pods
// says. It is for measuring what asking them costs; package simnode has kubelets
// that live.
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
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/headroom-dev/headroom/test/simnode/summary"
)

// Options say how many kubelets there are and what they say.
type Options struct {
	Kubelets, Pods, Interfaces int
}

// Crowd is where they listen, and whom to trust.
type Crowd struct {
	CAPEM []byte
	Ports []int // of 127.0.0.1

	servers []*http.Server
}

// Start starts the kubelets. Close ends them.
func Start(o Options, now time.Time) (_ *Crowd, err error) {
	body, err := bodyOf(o, now)
	if err != nil {
		return nil, err
	}
	signer, err := newAuthority(now)
	if err != nil {
		return nil, err
	}
	c := &Crowd{CAPEM: signer.pem}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats/summary", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // a client that has heard enough hangs up
	})
	for i := range o.Kubelets {
		certificate, err := signer.certificate(fmt.Sprintf("node-%05d", i), now)
		if err != nil {
			return nil, err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Timeouts and settings are those of pkg/kubelet/server, ListenAndServeKubeletServer.
		server := &http.Server{
			Handler:     mux,
			IdleTimeout: 90 * time.Second, ReadTimeout: 4 * time.Hour, WriteTimeout: 4 * time.Hour,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert},
			ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		}
		c.servers = append(c.servers, server)
		c.Ports = append(c.Ports, listener.Addr().(*net.TCPAddr).Port)
		go func() { _ = server.ServeTLS(listener, "", "") }()
	}
	return c, nil
}

// Close ends all kubelets.
func (c *Crowd) Close() {
	for _, server := range c.servers {
		_ = server.Close()
	}
}

func bodyOf(o Options, now time.Time) ([]byte, error) {
	disk := func(available uint64) *statsv1alpha1.FsStats {
		return &statsv1alpha1.FsStats{
			Time: metav1.NewTime(now.Truncate(time.Second)), CapacityBytes: new(uint64(100 << 30)), AvailableBytes: &available, UsedBytes: new(uint64(7 << 30)),
			Inodes: new(uint64(6_553_600)), InodesFree: new(uint64(6_400_000)), InodesUsed: new(uint64(153_600)),
		}
	}
	s := &statsv1alpha1.Summary{Pods: summary.Pods(o.Pods, now)}
	s.Node.NodeName, s.Node.StartTime = "node", metav1.NewTime(now.Truncate(time.Second))
	s.Node.Fs, s.Node.Runtime = disk(60<<30), &statsv1alpha1.RuntimeStats{ImageFs: disk(60 << 30), ContainerFs: disk(60 << 30)}
	summary.AddNodeFigures(&s.Node, o.Interfaces, now)
	return summary.Encode(s)
}

// authority signs serving certificates.
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
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "crowd"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), ca: ca, key: key, next: 2}, nil
}

// certificate is as one that a kubelet requests for serving.
func (a *authority) certificate(node string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}},
		DNSNames: []string{node}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	a.next++
	der, err := x509.CreateCertificate(rand.Reader, template, a.ca, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
