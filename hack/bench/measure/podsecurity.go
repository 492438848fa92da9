// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/headroom-dev/headroom/webhook"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
	"github.com/headroom-dev/headroom/hack/bench/process"
)

// PodSecurity is the webhook of k8s.io/pod-security-admission: of all Go webhooks for pods the one most like ours, by the people
// who wrote the API server.
const PodSecurity = "pod-security"

// podSecurityConfig is its configuration: the level is baseline, which the pods are up to.
const podSecurityConfig = `apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
defaults: {enforce: baseline, enforce-version: latest, audit: baseline, audit-version: latest, warn: baseline, warn-version: latest}
`

// startPodSecurity builds and starts it, on an API server that has nothing but the namespace that pods are made in.
func (o *RequestOptions) startPodSecurity(ctx context.Context) (*process.Child, load.Target, error) {
	o.say("building %s", PodSecurity)
	path, err := o.build(ctx, "engine/podsecurity", "k8s.io/pod-security-admission/cmd/webhook", "podsecurity-webhook")
	if err != nil {
		return nil, load.Target{}, err
	}
	api := httptest.NewServer(http.HandlerFunc(serveNamespaces))
	context.AfterFunc(ctx, api.Close)
	port, err := freePort(ctx)
	if err != nil {
		return nil, load.Target{}, err
	}
	ca, err := o.writePodSecurity(api.URL)
	if err != nil {
		return nil, load.Target{}, err
	}
	in := func(name string) string { return filepath.Join(o.Dir, name) }
	child, err := process.Start(ctx, process.Command{Path: path, Cores: serverCores(), Args: []string{
		"--kubeconfig=" + in("podsecurity.kubeconfig"), "--config=" + in("podsecurity.yaml"),
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + in("podsecurity.crt"), "--tls-private-key-file=" + in("podsecurity.key"), "--tls-min-version=VersionTLS13",
	}})
	if err != nil {
		return nil, load.Target{}, err
	}
	target := load.Target{URL: "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + webhook.PodsPath, CA: ca, PID: child.PID()}
	if err := waitReady(ctx, "https://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(port))+"/readyz", 30*time.Second); err != nil {
		child.Stop()
		return nil, target, err
	}
	return child, target, nil
}

// writePodSecurity writes its files and returns the CA.
func (o *RequestOptions) writePodSecurity(api string) (ca string, err error) {
	certificate, ca, err := peer.NewCertificate()
	if err != nil {
		return "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{
		"podsecurity.yaml": podSecurityConfig,
		"podsecurity.crt":  ca,
		"podsecurity.key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"podsecurity.kubeconfig": fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c"}}],`+
			`"clusters":[{"name":"c","cluster":{"server":%q}}]}`, api),
	} {
		if err := os.WriteFile(filepath.Join(o.Dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return ca, nil
}

// serveNamespaces is an API server with one namespace, that does not change.
func serveNamespaces(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/v1/namespaces" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	shop := corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: "shop", ResourceVersion: "1", UID: "shop"},
	}
	encoder := json.NewEncoder(w)
	if r.URL.Query().Get("watch") == "" {
		_ = encoder.Encode(corev1.NamespaceList{ // a client that is gone has nobody to tell
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Namespace{shop},
		})
		return
	}
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		bookmark := corev1.Namespace{TypeMeta: shop.TypeMeta}
		bookmark.ResourceVersion, bookmark.Annotations = "1", map[string]string{metav1.InitialEventsAnnotationKey: "true"}
		_ = encoder.Encode(map[string]any{"type": "ADDED", "object": shop})
		_ = encoder.Encode(map[string]any{"type": "BOOKMARK", "object": bookmark})
	}
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// waitReady asks until the answer is 200. Nobody's certificate is checked: it is a program that was started a moment ago.
func waitReady(ctx context.Context, url string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // G402: see above
	defer client.CloseIdleConnections()
	last := errors.New("it was not asked")
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("it answers %s", response.Status)
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s: %w", url, timeout, last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// freePort is a port of loopback that nobody listens on now.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
