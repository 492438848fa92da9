// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificateLife is how long the lab's certificates are good for: longer than any lab lives.
const certificateLife = 365 * 24 * time.Hour

// authority signs every certificate of one lab: the API server's, the kubelets' and the clients'.
type authority struct {
	dir  string // where certificates and keys are written, and ca.crt
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// keyPair names the files of a certificate and its key.
type keyPair struct{ cert, key string }

// newAuthority makes an authority and writes its certificate.
func newAuthority(dir string) (*authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificateTemplate("headroom-lab")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	a := &authority{dir: dir, key: key}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	if err := writePEM(a.caFile(), "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return a, writeKey(filepath.Join(dir, "ca.key"), key)
}

// openAuthority reads an authority that was made before.
func openAuthority(dir string) (*authority, error) {
	a := &authority{dir: dir}
	cert, err := readPEM(a.caFile())
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(cert); err != nil {
		return nil, err
	}
	key, err := readPEM(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	a.key, err = x509.ParseECPrivateKey(key)
	return a, err
}

func (a *authority) caFile() string { return filepath.Join(a.dir, "ca.crt") }

// client writes a client certificate for a user in groups.
func (a *authority) client(file, user string, groups ...string) (keyPair, error) {
	template := certificateTemplate(user)
	template.Subject.Organization = groups
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(file, template)
}

// server writes a serving certificate for names and addresses.
func (a *authority) server(file string, hosts ...string) (keyPair, error) {
	template := certificateTemplate(hosts[0])
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	return a.sign(file, template)
}

// sign makes a key, signs its certificate and writes both.
func (a *authority) sign(file string, template *x509.Certificate) (keyPair, error) {
	files := keyPair{cert: filepath.Join(a.dir, file+".crt"), key: filepath.Join(a.dir, file+".key")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return files, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return files, err
	}
	if err := writePEM(files.cert, "CERTIFICATE", der); err != nil {
		return files, err
	}
	return files, writeKey(files.key, key)
}

// signingKey writes a key pair for signing tokens, the public half as file.pub.
func (a *authority) signingKey(file string) (keyPair, error) {
	files := keyPair{cert: filepath.Join(a.dir, file+".pub"), key: filepath.Join(a.dir, file+".key")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return files, err
	}
	if err := writePEM(files.cert, "PUBLIC KEY", public); err != nil {
		return files, err
	}
	return files, writeKey(files.key, key)
}

// certificateTemplate has what all certificates of the lab have. It is good from an hour ago on, for clocks that step.
func certificateTemplate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certificateLife),
	}
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func readPEM(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, &os.PathError{Op: "decode", Path: path, Err: os.ErrInvalid}
	}
	return block.Bytes, nil
}
