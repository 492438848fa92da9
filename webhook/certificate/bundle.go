// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// caKey is where cert-manager's authority keeps the CA in its Secret.
	caKey = "ca.crt"
	// overlap is how long an earlier CA stays in the bundle next to a new one: far longer than the replicas take to notice
	// the new one and to serve certificates of it.
	overlap = 24 * time.Hour
	// maxEarlier bounds the earlier CAs in a bundle, should the Secret be deleted again and again.
	maxEarlier = 4
)

// bundleOf returns the caBundle that should be in place: the CA of the Secret, and those of our earlier CAs in the present
// bundle that replicas may still use. Anything else in there is dropped.
//
// The result depends on nothing but the arguments, and applying it twice changes nothing. A replica that has not seen the
// newest Secret yet keeps a CA newer than its own, in the same order: replicas that write at the same time agree.
func bundleOf(present, secretCA []byte, now time.Time) ([]byte, error) {
	cas := parseCAs(secretCA)
	if len(cas) == 0 {
		return nil, errors.New("no CA certificate in PEM form")
	}
	current := cas[0]
	var earlier []*x509.Certificate
	for _, ca := range parseCAs(present) {
		usable := ca.Subject.CommonName == commonName && now.Before(ca.NotAfter) && !ca.Equal(current)
		recent := ca.NotBefore.After(current.NotBefore) || now.Sub(current.NotBefore) < overlap
		if usable && recent && !slices.ContainsFunc(earlier, ca.Equal) {
			earlier = append(earlier, ca)
		}
	}
	slices.SortFunc(earlier, newestFirst)
	bundle := append([]*x509.Certificate{current}, earlier[:min(len(earlier), maxEarlier)]...)
	slices.SortFunc(bundle, newestFirst)
	var out bytes.Buffer
	for _, ca := range bundle {
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}); err != nil {
			return nil, fmt.Errorf("encode a CA certificate: %w", err)
		}
	}
	return out.Bytes(), nil
}

func newestFirst(a, b *x509.Certificate) int {
	return cmp.Or(b.NotBefore.Compare(a.NotBefore), bytes.Compare(a.Raw, b.Raw))
}

// parseCAs returns the CA certificates in a PEM text and skips everything else.
func parseCAs(text []byte) []*x509.Certificate {
	var cas []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return cas
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if ca, err := x509.ParseCertificate(block.Bytes); err == nil && ca.IsCA {
			cas = append(cas, ca)
		}
	}
}

// WaitForCA returns the CA of the Secret SecretName in PEM form as soon as there is one. The error says what was in the way
// when ctx ended; a missing permission ends the wait at once.
func WaitForCA(ctx context.Context, client kubernetes.Interface, namespace string) ([]byte, error) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		secret, err := client.CoreV1().Secrets(namespace).Get(ctx, SecretName, metav1.GetOptions{})
		switch {
		case err == nil && len(parseCAs(secret.Data[caKey])) > 0:
			return secret.Data[caKey], nil
		case err == nil:
			err = errors.New("it holds no CA certificate")
		case apierrors.IsForbidden(err):
			return nil, fmt.Errorf("read Secret %q in namespace %q: %w", SecretName, namespace, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("no CA in Secret %q in namespace %q: %w", SecretName, namespace, err)
		}
	}
}
