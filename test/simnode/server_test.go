// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"k8s.io/utils/clock"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// fakeClient knows tokens by "token-USER" and lets each user do what rights say,
// as "get nodes/stats".
func fakeClient(rights map[string][]string) *fake.Clientset {
	client := fake.NewClientset()
	client.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		user, known := strings.CutPrefix(review.Spec.Token, "token-")
		review.Status.Authenticated = known
		review.Status.User.Username = user
		return true, review, nil
	})
	client.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		a := review.Spec.ResourceAttributes
		for _, right := range rights[review.Spec.User] {
			if right == a.Verb+" "+a.Resource+"/"+a.Subresource {
				review.Status.Allowed = true
			}
		}
		return true, review, nil
	})
	return client
}

func startFleet(t *testing.T, opts Options) *Fleet {
	t.Helper()
	if opts.Nodes == nil {
		opts.Nodes = []NodeSpec{{Name: "n1", Config: disk.Config{DiskBytes: 1_000_000_000, OtherUsedBytes: 200_000_000}}}
	}
	f, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// httpClient trusts the fleet's CA, and shows certificates where given.
func httpClient(t *testing.T, f *Fleet, certificates ...tls.Certificate) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.CAPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func request(t *testing.T, client *http.Client, method, url, token string) (status int, body string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(content)), response.Header
}

func TestWhoMayAskWhat(t *testing.T) {
	f := startFleet(t, Options{Client: fakeClient(map[string][]string{
		"stats": {"get nodes/stats"}, "configz": {"get nodes/configz"}, "proxy": {"get nodes/proxy"},
	})})
	client, url := httpClient(t, f), f.Nodes()[0].URL()
	for sentence, test := range map[string]struct {
		method, path, token string
		status              int
		body                string
	}{
		"nobody is nobody":                            {"GET", "/stats/summary", "", 401, "Unauthorized"},
		"an unknown token is nobody":                  {"GET", "/stats/summary", "stranger", 401, "Unauthorized"},
		"nodes/stats reads the summary":               {"GET", "/stats/summary", "token-stats", 200, ""},
		"nodes/stats does not read the config":        {"GET", "/configz", "token-stats", 403, "Forbidden (user=stats, verb=get, resource=nodes, subresource(s)=[configz proxy])"},
		"nodes/stats does not exec":                   {"GET", "/exec/default/p/c", "token-stats", 403, "Forbidden (user=stats, verb=get, resource=nodes, subresource(s)=[proxy])"},
		"nodes/configz reads the config":              {"GET", "/configz", "token-configz", 200, ""},
		"nodes/proxy reads the config, too":           {"GET", "/configz", "token-proxy", 200, ""},
		"nodes/proxy does not read the summary":       {"GET", "/stats/summary", "token-proxy", 403, "Forbidden (user=proxy, verb=get, resource=nodes, subresource(s)=[stats])"},
		"a right to get is none to create":            {"POST", "/stats/summary", "token-stats", 403, "Forbidden (user=stats, verb=create, resource=nodes, subresource(s)=[stats])"},
		"even the health of a node is not for all":    {"GET", "/healthz", "token-stats", 403, "Forbidden (user=stats, verb=get, resource=nodes, subresource(s)=[healthz proxy])"},
		"nodes/proxy reads the health":                {"GET", "/healthz", "token-proxy", 200, "ok"},
		"what a simulated kubelet lacks is not there": {"GET", "/exec/default/p/c", "token-proxy", 404, ""},
		"a name that only begins alike is not stats":  {"GET", "/statsx", "token-stats", 403, "Forbidden (user=stats, verb=get, resource=nodes, subresource(s)=[proxy])"},
	} {
		t.Run(sentence, func(t *testing.T) {
			status, body, _ := request(t, client, test.method, url+test.path, test.token)
			if status != test.status || test.body != "" && body != test.body {
				t.Errorf("%d %q, want %d %q", status, body, test.status, test.body)
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	ca, err := newCertificates(Options{Clock: clock.RealClock{}})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := newCertificates(Options{Clock: clock.RealClock{}})
	if err != nil {
		t.Fatal(err)
	}
	f := startFleet(t, Options{Client: fakeClient(map[string][]string{"reader": {"get nodes/stats"}}), ClientCAPEM: ca.caPEM})
	for sentence, test := range map[string]struct {
		signer *certificates
		want   int
	}{
		"signed by the client CA": {ca, 200},
		"signed by somebody else": {stranger, 401},
	} {
		t.Run(sentence, func(t *testing.T) {
			client := httpClient(t, f, clientCertificate(t, test.signer, "reader"))
			if status, body, _ := request(t, client, "GET", f.Nodes()[0].URL()+"/stats/summary", ""); status != test.want {
				t.Errorf("%d %q, want %d", status, body, test.want)
			}
		})
	}
}

func clientCertificate(t *testing.T, signer *certificates, user string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: user},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, signer.ca, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestConfigzIsAKubeletConfiguration(t *testing.T) {
	f := startFleet(t, Options{
		Client: fakeClient(map[string][]string{"configz": {"get nodes/configz"}}),
		Speed:  10,
		Nodes:  []NodeSpec{{Name: "n1", Config: disk.Config{DiskBytes: 1e9, GCHighPercent: 90}, EvictionHard: map[string]string{"imagefs.available": "20%"}}},
	})
	_, body, _ := request(t, httpClient(t, f), "GET", f.Nodes()[0].URL()+"/configz", "token-configz")
	var answer struct {
		KubeletConfig kubeletv1beta1.KubeletConfiguration `json:"kubeletconfig"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	c := answer.KubeletConfig
	if c.Kind != "KubeletConfiguration" || *c.ImageGCHighThresholdPercent != 90 || *c.ImageGCLowThresholdPercent != 80 ||
		*c.NodeStatusMaxImages != 50 || c.EvictionPressureTransitionPeriod.Duration != 30*time.Second ||
		cmp.Diff(map[string]string{"imagefs.available": "20%"}, c.EvictionHard) != "" {
		t.Errorf("got %s", body)
	}
}

func TestKilledNodesDoNotAnswer(t *testing.T) {
	f := startFleet(t, Options{Client: fakeClient(nil)})
	client, n := httpClient(t, f), f.Nodes()[0]
	n.Kill()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Do(r); err == nil {
		_ = response.Body.Close()
		t.Errorf("answered with %d", response.StatusCode)
	}
}

func TestServingCAMayBeGiven(t *testing.T) {
	own, err := newCertificates(Options{Clock: clock.RealClock{}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(own.key)
	if err != nil {
		t.Fatal(err)
	}
	f := startFleet(t, Options{
		Client: fakeClient(nil), ServingCACertPEM: own.caPEM, ServingCAKeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	})
	if string(f.CAPEM()) != string(own.caPEM) {
		t.Error("CAPEM is another CA")
	}
	if status, _, _ := request(t, httpClient(t, f), "GET", f.Nodes()[0].URL()+"/healthz", ""); status != 401 {
		t.Errorf("got %d, want 401", status)
	}
}
