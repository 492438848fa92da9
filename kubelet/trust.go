// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"time"
)

// trust checks the certificates of kubelets by a CA, as crypto/tls does it, but remembers for which of them it has found a
// chain: thousands of kubelets show the same certificate twice a minute, and to check its signature takes as long as to
// check that the kubelet has the key. What depends on the moment and on whom was asked for is looked at each time: the
// chain's validity, and the name. That the kubelet has the key crypto/tls checks itself.
type trust struct {
	roots *x509.CertPool
	now   func() time.Time

	mu     sync.Mutex // guards chains
	chains map[chainKey]validity
}

// chainKey is the hash of all certificates that a kubelet has sent.
type chainKey [sha256.Size]byte

// validity is when all certificates of a chain are valid, in seconds since 1970, both ends included.
type validity struct{ from, until int64 }

// maxChains is more than there are nodes. Certificates that are replaced leave theirs behind until then.
const maxChains = 1 << 16

func newTrust(roots *x509.CertPool) *trust {
	//nolint:forbidigo // A clock has to start somewhere; tests bend time itself.
	return &trust{roots: roots, now: time.Now, chains: make(map[chainKey]validity)}
}

// check returns a *tls.CertificateVerificationError for certificates, the kubelet's own first, that a host may not show.
func (t *trust) check(sent []*x509.Certificate, host string) error {
	key, now := chainKeyOf(sent), t.now()
	if t.knows(key, now) {
		return refused(sent, sent[0].VerifyHostname(host))
	}
	between := x509.NewCertPool()
	for _, c := range sent[1:] {
		between.AddCert(c)
	}
	chains, err := sent[0].Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: between, DNSName: host, CurrentTime: now})
	if err != nil {
		return refused(sent, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.chains) >= maxChains {
		clear(t.chains)
	}
	t.chains[key] = validityOf(chains[0])
	return nil
}

func (t *trust) knows(key chainKey, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, known := t.chains[key]
	return known && v.from <= now.Unix() && now.Unix() <= v.until
}

func refused(sent []*x509.Certificate, err error) error {
	if err == nil {
		return nil
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: sent, Err: err}
}

func chainKeyOf(sent []*x509.Certificate) (key chainKey) {
	h := sha256.New()
	for _, c := range sent {
		h.Write(c.Raw) // DER tells its own length: no two lists are the same bytes.
	}
	h.Sum(key[:0])
	return key
}

func validityOf(chain []*x509.Certificate) validity {
	v := validity{chain[0].NotBefore.Unix(), chain[0].NotAfter.Unix()}
	for _, c := range chain[1:] {
		v.from, v.until = max(v.from, c.NotBefore.Unix()), min(v.until, c.NotAfter.Unix())
	}
	return v
}
