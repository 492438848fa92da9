// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"
)

// signer is a certificate with its key; the zero one signs itself.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

var day0 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// signed is a certificate of the name that is valid for some days from day0 on: a CA's if it has no hosts.
func (s signer) signed(t *testing.T, name string, days int, usage x509.ExtKeyUsage, hosts ...string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: len(hosts) == 0,
		NotBefore: day0, NotAfter: day0.AddDate(0, 0, days), ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	if s.certificate == nil {
		s = signer{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.certificate, &key.PublicKey, s.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{c, key}
}

func trusting(at time.Time, cas ...signer) *trust {
	pool := x509.NewCertPool()
	for _, ca := range cas {
		pool.AddCert(ca.certificate)
	}
	t := newTrust(pool)
	t.now = func() time.Time { return at }
	return t
}

func certificates(of ...signer) (all []*x509.Certificate) {
	for _, s := range of {
		all = append(all, s.certificate)
	}
	return all
}

func TestTrustSaysWhatTheLibrarySays(t *testing.T) {
	const ofAny, server = x509.ExtKeyUsageAny, x509.ExtKeyUsageServerAuth
	ca, other := signer{}.signed(t, "ca", 100, ofAny), signer{}.signed(t, "other", 100, ofAny)
	between := ca.signed(t, "between", 5, ofAny)
	node := ca.signed(t, "n1", 10, server, "10.0.0.1", "fd00::1", "n1")
	for name, test := range map[string]struct {
		sent []*x509.Certificate
		host string
		day  int
		want any
	}{
		"an address of the certificate":                  {certificates(node), "10.0.0.1", 1, nil},
		"an IPv6 address of the certificate":             {certificates(node), "fd00::1", 1, nil},
		"a name of the certificate":                      {certificates(node), "n1", 1, nil},
		"another address":                                {certificates(node), "10.0.0.2", 1, x509.HostnameError{}},
		"another name":                                   {certificates(node), "n2", 1, x509.HostnameError{}},
		"a certificate that is not valid any more":       {certificates(node), "n1", 11, x509.CertificateInvalidError{}},
		"a certificate that is not valid yet":            {certificates(node), "n1", -1, x509.CertificateInvalidError{}},
		"one of another CA":                              {certificates(other.signed(t, "n1", 10, server, "n1")), "n1", 1, x509.UnknownAuthorityError{}},
		"one that signs itself":                          {certificates(signer{}.signed(t, "n1", 10, server, "n1")), "n1", 1, x509.UnknownAuthorityError{}},
		"one for clients only":                           {certificates(ca.signed(t, "n1", 10, x509.ExtKeyUsageClientAuth, "n1")), "n1", 1, x509.CertificateInvalidError{}},
		"one with a CA in between that is sent":          {certificates(between.signed(t, "n1", 10, server, "n1"), between), "n1", 1, nil},
		"one with a CA in between that is not":           {certificates(between.signed(t, "n1", 10, server, "n1")), "n1", 1, x509.UnknownAuthorityError{}},
		"one with a CA in between that is no more valid": {certificates(between.signed(t, "n1", 10, server, "n1"), between), "n1", 6, x509.CertificateInvalidError{}},
	} {
		t.Run(name, func(t *testing.T) {
			at := day0.AddDate(0, 0, test.day)
			trust := trusting(at, ca)
			intermediates := x509.NewCertPool()
			for _, c := range test.sent[1:] {
				intermediates.AddCert(c)
			}
			_, library := test.sent[0].Verify(x509.VerifyOptions{Roots: trust.roots, Intermediates: intermediates, DNSName: test.host, CurrentTime: at})
			for _, when := range []string{"the first time", "again"} {
				err := trust.check(test.sent, test.host)
				if (err == nil) != (test.want == nil) || (err == nil) != (library == nil) {
					t.Fatalf("%s: %v, the library says %v, want %T", when, err, library, test.want)
				}
				if err != nil && (!is[*tls.CertificateVerificationError](err) || errors.Unwrap(err).Error() != library.Error()) {
					t.Errorf("%s: %v, the library says %v", when, err, library)
				}
			}
			// Nor does it matter that the same certificates were fine for another host, and a moment ago.
			trust.now = func() time.Time { return day0.AddDate(0, 0, 1) }
			for _, host := range []string{"n1", "10.0.0.1"} {
				_ = trust.check(test.sent, host)
			}
			trust.now = func() time.Time { return at }
			if err := trust.check(test.sent, test.host); (err == nil) != (library == nil) {
				t.Errorf("after it was asked for others: %v, the library says %v", err, library)
			}
		})
	}
}

func TestAChainIsLookedForOnce(t *testing.T) {
	ca := signer{}.signed(t, "ca", 100, x509.ExtKeyUsageAny)
	node := ca.signed(t, "n1", 10, x509.ExtKeyUsageServerAuth, "n1")
	trust := trusting(day0, ca)
	if err := trust.check(certificates(node), "n1"); err != nil {
		t.Fatal(err)
	}
	trust.roots = x509.NewCertPool() // Whoever looks for a chain now finds none.
	if err := trust.check(certificates(node), "n1"); err != nil {
		t.Errorf("it was looked for again: %v", err)
	}
	if err := trust.check(certificates(node, ca), "n1"); err == nil {
		t.Error("other certificates count as those that are known")
	}
	if err := trust.check(certificates(ca.signed(t, "n1", 10, x509.ExtKeyUsageServerAuth, "n1")), "n1"); err == nil {
		t.Error("another certificate of the same name counts as the one that is known")
	}
}

func TestChainsAreForgotten(t *testing.T) {
	ca := signer{}.signed(t, "ca", 100, x509.ExtKeyUsageAny)
	trust := trusting(day0, ca)
	for i := range maxChains {
		trust.chains[chainKey{byte(i), byte(i >> 8), byte(i >> 16)}] = validity{}
	}
	node := certificates(ca.signed(t, "n1", 10, x509.ExtKeyUsageServerAuth, "n1"))
	if err := trust.check(node, "n1"); err != nil {
		t.Fatal(err)
	}
	if len(trust.chains) != 1 || !trust.knows(chainKeyOf(node), day0) {
		t.Errorf("%d chains are kept, want the last one", len(trust.chains))
	}
}
