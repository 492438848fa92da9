// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/headroom-dev/headroom/hack/lab"
)

// TestKubeletToken takes a token of the kind that Headroom sends to kubelets,
// as a node that was taken over could, and tries to do more with it than to
// read a kubelet's statistics and settings.
func TestKubeletToken(t *testing.T) {
	node := startNode(t, lab.NodeOptions{Name: "token"})
	ns := namespace(t, "token")
	mustRun(t, podOptions{namespace: ns, name: "victim", image: lab.RegistryHost + "/lab/pause:1", node: node.Name})
	request, err := shared.client.CoreV1().ServiceAccounts("headroom-system").CreateToken(t.Context(), "headroom-kubelet-reader",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(600))}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token := request.Status.Token

	t.Run("at the kubelet", func(t *testing.T) {
		for what, tc := range map[string]struct {
			method, path string
			want         int
		}{
			"reads its summary":            {http.MethodGet, "/stats/summary", http.StatusOK},
			"reads its settings":           {http.MethodGet, "/configz", http.StatusOK},
			"can't run a command in a pod": {http.MethodPost, "/exec/" + ns + "/victim/main?command=id&output=1", http.StatusForbidden},
			// Exec over WebSocket is a GET: the reason why nodes/proxy is too much.
			"can't run one by GET either":   {http.MethodGet, "/exec/" + ns + "/victim/main?command=id&output=1", http.StatusForbidden},
			"can't read a container's log":  {http.MethodGet, "/containerLogs/" + ns + "/victim/main", http.StatusForbidden},
			"can't list the node's pods":    {http.MethodGet, "/pods", http.StatusForbidden},
			"can't read the node's metrics": {http.MethodGet, "/metrics", http.StatusForbidden},
		} {
			t.Run(what, func(t *testing.T) {
				if got := askKubelet(t, node, token, tc.method, tc.path); got != tc.want {
					t.Errorf("%s %s: HTTP %d, want %d", tc.method, tc.path, got, tc.want)
				}
			})
		}
	})
	t.Run("at the API server", func(t *testing.T) {
		client := clientWith(t, token)
		ctx := t.Context()
		for what, try := range map[string]func() error{
			"can't list secrets": func() error {
				_, err := client.CoreV1().Secrets("").List(ctx, metav1.ListOptions{})
				return err
			},
			"can't read the CA's secret": func() error {
				_, err := client.CoreV1().Secrets("headroom-system").Get(ctx, "headroom-ca", metav1.GetOptions{})
				return err
			},
			"can't list pods": func() error {
				_, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
				return err
			},
			"can't get nodes": func() error {
				_, err := client.CoreV1().Nodes().Get(ctx, node.Name, metav1.GetOptions{})
				return err
			},
			"can't get nodes/proxy": func() error {
				return client.CoreV1().RESTClient().Get().Resource("nodes").Name(node.Name).SubResource("proxy").Suffix("stats/summary").Do(ctx).Error()
			},
			"can't exec": func() error {
				return client.CoreV1().RESTClient().Post().Namespace(ns).Resource("pods").Name("victim").SubResource("exec").Do(ctx).Error()
			},
			"can't make itself another token": func() error {
				_, err := client.CoreV1().ServiceAccounts("headroom-system").CreateToken(ctx, "headroom", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
				return err
			},
		} {
			t.Run(what, func(t *testing.T) {
				if err := try(); !apierrors.IsForbidden(err) {
					t.Errorf("error %v, want Forbidden", err)
				}
			})
		}
	})
}

// askKubelet sends a request with the token and returns the status code.
func askKubelet(t *testing.T, node *lab.Node, token, method, path string) int {
	t.Helper()
	ca, err := os.ReadFile(shared.plane.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		Timeout:   10 * time.Second,
		// The kubelet would send an exec that it allows to its stream.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+net.JoinHostPort(node.InternalIP, "10250")+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func clientWith(t *testing.T, token string) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: shared.plane.Host, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAFile: shared.plane.CAFile},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
