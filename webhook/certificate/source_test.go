// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	servertls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// ca makes a CA certificate in PEM form that became valid when its age says.
func ca(t *testing.T, name string, age, lifetime time.Duration) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-age), NotAfter: now.Add(-age + lifetime),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

func TestBundle(t *testing.T) {
	const year = 365 * 24 * time.Hour
	fresh, settled := ca(t, commonName, time.Minute, year), ca(t, commonName, 48*time.Hour, year)
	old, older := ca(t, commonName, 200*24*time.Hour, year), ca(t, commonName, 210*24*time.Hour, year)
	expired, foreign := ca(t, commonName, year+time.Hour, year), ca(t, "somebody", time.Hour, year)
	cases := map[string]struct {
		present, secret []byte
		want            [][]byte
	}{
		"nothing in place":                             {nil, fresh, [][]byte{fresh}},
		"what is right stays":                          {fresh, fresh, [][]byte{fresh}},
		"garbage is replaced":                          {[]byte("garbage"), fresh, [][]byte{fresh}},
		"after a rotation both are trusted":            {old, fresh, [][]byte{fresh, old}},
		"a day after a rotation the old one goes":      {join(settled, old), settled, [][]byte{settled}},
		"what expired goes":                            {expired, fresh, [][]byte{fresh}},
		"what is not ours goes":                        {foreign, fresh, [][]byte{fresh}},
		"twice the same":                               {join(old, fresh, old, fresh), fresh, [][]byte{fresh, old}},
		"a replica behind keeps what is newer":         {join(fresh, old), old, [][]byte{fresh, old}},
		"the order does not depend on who writes":      {join(older, old, fresh), fresh, [][]byte{fresh, old, older}},
		"newlines and text around certificates are ok": {join([]byte("# ca\n\n"), old), fresh, [][]byte{fresh, old}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := bundleOf(tc.present, tc.secret, now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(join(tc.want...)), string(got)); diff != "" {
				t.Errorf("bundle (-want +got):\n%s", diff)
			}
			again, err := bundleOf(got, tc.secret, now)
			if err != nil || !bytes.Equal(got, again) {
				t.Errorf("a second write would change the bundle: %v", err)
			}
		})
	}
	if _, err := bundleOf(old, []byte("garbage"), now); err == nil {
		t.Error("a Secret without a CA gave a bundle")
	}
	var many []byte
	for range 20 {
		many = join(many, ca(t, commonName, time.Hour, year))
	}
	got, err := bundleOf(many, fresh, now)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(parseCAs(got)); n != 1+maxEarlier {
		t.Errorf("bundle of %d CAs, want %d", n, 1+maxEarlier)
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// stub signs with nothing: what is tested is what named adds.
type stub struct {
	servertls.Authority
	template *x509.Certificate
}

func (s *stub) Sign(template *x509.Certificate) (*x509.Certificate, error) {
	s.template = template
	return template, nil
}

func TestNamed(t *testing.T) {
	source, err := SelfSigned(Options{Config: &rest.Config{}, Namespace: "n", Names: []string{"a.b.svc", "127.0.0.1", "::1"}})
	if err != nil {
		t.Fatal(err)
	}
	dynamic, ok := source.source.(*servertls.DynamicSource)
	if !ok {
		t.Fatalf("source is %T", source.source)
	}
	if diff := cmp.Diff([]string{"a.b.svc"}, dynamic.DNSNames); diff != "" {
		t.Errorf("DNS names (-want +got):\n%s", diff)
	}
	n, ok := dynamic.Authority.(*named)
	if !ok {
		t.Fatalf("authority is %T", dynamic.Authority)
	}
	s := &stub{}
	n.Authority = s
	if _, err := n.Sign(&x509.Certificate{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]net.IP{net.ParseIP("127.0.0.1"), net.ParseIP("::1")}, s.template.IPAddresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if _, err := SelfSigned(Options{}); err == nil {
		t.Error("no name was accepted")
	}
}

func TestANewCAIsServedOnceItIsTrusted(t *testing.T) {
	trusted := false
	n := &named{Authority: &stub{}, clock: clock.RealClock{}, trusted: func(*x509.Certificate) bool { return trusted }}
	if _, err := n.Sign(&x509.Certificate{}); err != nil {
		t.Fatalf("the first certificate waits for nobody: %v", err)
	}
	if _, err := n.Sign(&x509.Certificate{}); !errors.Is(err, authority.ErrCertificateNotAvailable) {
		t.Errorf("error %v, want ErrCertificateNotAvailable", err)
	}
	if !n.hold(nil, time.Now().Add(maxHold-time.Second)) {
		t.Error("not held for the whole time")
	}
	if n.hold(nil, time.Now().Add(maxHold+time.Second)) {
		t.Error("held too long")
	}
	trusted = true
	if _, err := n.Sign(&x509.Certificate{}); err != nil {
		t.Errorf("trusted, but held: %v", err)
	}
}

func TestFromFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if _, err := FromFiles(certFile, keyFile); err == nil || !strings.Contains(err.Error(), "--tls-cert-file") {
		t.Errorf("error %v does not name the flag", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: raw}, keyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source, err := FromFiles(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.GetCertificate(nil); !errors.Is(err, servertls.ErrNotAvailable) {
		t.Errorf("error %v before Start, want ErrNotAvailable", err)
	}
}

func TestNames(t *testing.T) {
	u, err := url.Parse("https://[::1]:9443/x")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := URLNames(u); err != nil || len(got) != 1 || got[0] != "::1" {
		t.Errorf("names %v, %v", got, err)
	}
	if _, err := URLNames(&url.URL{}); err == nil {
		t.Error("a URL without a host has names")
	}
	if got := ServiceNames("headroom", "headroom-system")[0]; got != "headroom.headroom-system.svc" {
		t.Errorf("first name is %q, which is not what an API server verifies", got)
	}
}
