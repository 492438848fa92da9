// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// authorized lets through who may, and answers 401 or 403 in the kubelet's words
// (kubelet: Server.InstallAuthFilter). Anonymous requests are refused.
func authorized(node string, clientCAs *x509.CertPool, reviews *reviewer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := certificateUser(r, clientCAs)
		if !ok {
			var err error
			token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if found && token != "" {
				user, ok, err = reviews.authenticate(r.Context(), strings.TrimSpace(token))
			}
			if err != nil || !ok {
				http.Error(w, "Unauthorized", http.StatusUnauthorized)
				return
			}
		}
		verb, subresources := attributes(r)
		for _, subresource := range subresources {
			allowed, err := reviews.authorize(r.Context(), user, verb, node, subresource)
			if err != nil {
				http.Error(w, fmt.Sprintf("Authorization error (user=%s, verb=%s, resource=nodes, subresource=%s)", user.Username, verb, subresource), http.StatusInternalServerError)
				return
			}
			if allowed {
				next.ServeHTTP(w, r)
				return
			}
		}
		http.Error(w, fmt.Sprintf("Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=%v)", user.Username, verb, subresources), http.StatusForbidden)
	})
}

// certificateUser is who a client certificate names, if a CA we believe signed it.
func certificateUser(r *http.Request, clientCAs *x509.CertPool) (authenticationv1.UserInfo, bool) {
	if clientCAs == nil || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return authenticationv1.UserInfo{}, false
	}
	leaf := r.TLS.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, c := range r.TLS.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: clientCAs, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil || leaf.Subject.CommonName == "" {
		return authenticationv1.UserInfo{}, false
	}
	groups := slices.Concat(leaf.Subject.Organization, []string{"system:authenticated"})
	return authenticationv1.UserInfo{Username: leaf.Subject.CommonName, Groups: groups}, true
}

// attributes are the verb and the subresources of nodes of which one must be
// allowed (kubelet: nodeAuthorizerAttributesGetter.GetRequestAttributes).
func attributes(r *http.Request) (verb string, subresources []string) {
	verb = map[string]string{
		http.MethodPost: "create", http.MethodGet: "get", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
	}[r.Method]
	for _, rule := range []struct {
		path         string
		subresources []string
	}{
		{"/stats", []string{"stats"}},
		{"/metrics", []string{"metrics"}},
		{"/logs", []string{"log"}},
		{"/checkpoint", []string{"checkpoint"}},
		{"/statusz", []string{"statusz"}},
		{"/flagz", []string{"configz"}},
		{"/configz", []string{"configz", "proxy"}},
		{"/healthz", []string{"healthz", "proxy"}},
		{"/pods", []string{"pods", "proxy"}},
		{"/runningpods", []string{"pods", "proxy"}},
	} {
		if r.URL.Path == rule.path || strings.HasPrefix(r.URL.Path, rule.path+"/") {
			return verb, rule.subresources
		}
	}
	return verb, []string{"proxy"}
}
