// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedadmission "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
	"github.com/headroom-dev/headroom/webhook"
	"github.com/headroom-dev/headroom/webhook/certificate"
	"github.com/headroom-dev/headroom/webhook/registration"
)

// refuseAll makes every answer of the webhook visible: a pod that is admitted was not seen by it.
type refuseAll struct{}

func (refuseAll) Evaluate(fit.Request) fit.Decision {
	return fit.Decision{Action: fit.Deny, Verdict: verdict.NeverFits, Mode: policy.Enforce, Message: "image storage: no", CauseCode: "NeverFits"}
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Connections that a client of the API server keeps for its next request.
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*ClientConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		// klog's own.
		goleak.IgnoreAnyFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"),
	)
}

// TestRealAPIServer serves a webhook with our own certificates to a real API server, which calls it by URL.
func TestRealAPIServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real API server")
	}
	config := startAPIServer(t)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: policy.Namespace}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target, err := registration.Target("https://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	names, err := certificate.URLNames(target)
	if err != nil {
		t.Fatal(err)
	}
	keeper := &certificate.Keeper{Client: client, Configuration: registration.ConfigurationName, SecretNamespace: policy.Namespace}
	source, err := certificate.SelfSigned(certificate.Options{Config: config, Namespace: policy.Namespace, Names: names, Trusted: keeper.Trusts})
	if err != nil {
		t.Fatal(err)
	}
	handler := webhook.NewPods(webhook.HandlerOptions{Evaluator: refuseAll{}})
	mux := http.NewServeMux()
	mux.HandleFunc(webhook.PodsPath, func(w http.ResponseWriter, r *http.Request) {
		// Each request is to verify the certificate anew.
		w.Header().Set("Connection", "close")
		handler.ServeHTTP(w, r)
	})
	server := &webhook.Server{Listener: listener, GetCertificate: source.GetCertificate, Handler: mux}
	process := &registration.Process{Client: client, Target: target, CA: func(ctx context.Context) ([]byte, error) {
		return certificate.WaitForCA(ctx, client, policy.Namespace)
	}}
	run(t, source.Start)
	run(t, server.Run)
	run(t, keeper.Start)
	endProcess := run(t, process.Start)

	within(t, 20*time.Second, "the webhook refuses a pod", func() bool { return refused(t, client) })

	t.Run("the API server has nothing to default", func(t *testing.T) {
		c, err := configurations(client).Get(ctx, registration.ConfigurationName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := webhook.Webhooks(func(path string) admissionregistrationv1.WebhookClientConfig {
			return admissionregistrationv1.WebhookClientConfig{URL: new(target.JoinPath(path).String()), CABundle: bundle(t, client)}
		})
		if diff := cmp.Diff(want, c.Webhooks); diff != "" {
			t.Errorf("webhooks (-made +read back):\n%s", diff)
		}
	})

	t.Run("a bundle that was spoiled is healed, in whichever entry", func(t *testing.T) {
		spoil := []byte(`{"webhooks":[{"name":"pods.headroom.dev","clientConfig":{"caBundle":null}},{"name":"policy.headroom.dev","clientConfig":{"caBundle":null}}]}`)
		if _, err := configurations(client).Patch(ctx, registration.ConfigurationName, types.StrategicMergePatchType, spoil, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "healed", func() bool { return len(bundle(t, client)) > 0 })
		within(t, 20*time.Second, "the webhook refuses a pod", func() bool { return refused(t, client) })
	})

	t.Run("a rotation of the CA loses no request", func(t *testing.T) {
		before := bundle(t, client)
		if err := client.CoreV1().Secrets(policy.Namespace).Delete(ctx, certificate.SecretName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		newCA, err := certificate.WaitForCA(ctx, client, policy.Namespace)
		if err != nil {
			t.Fatal(err)
		}
		requests := 0
		within(t, 40*time.Second, "a certificate of the new CA is served", func() bool {
			if !refused(t, client) {
				t.Fatalf("after %d requests, one did not get to the webhook", requests)
			}
			requests++
			return issuedBy(t, source, newCA)
		})
		for range 20 {
			if !refused(t, client) {
				t.Fatal("a request did not get to the webhook after the rotation")
			}
		}
		after := bundle(t, client)
		if !bytes.Contains(after, bytes.TrimSpace(before)) || bytes.Count(after, []byte("BEGIN CERTIFICATE")) != 2 {
			t.Errorf("the bundle does not hold the old and the new CA:\n%s", after)
		}
		t.Logf("%d requests until the new certificate was served", requests)
	})

	t.Run("another process takes over, and its registration stays", func(t *testing.T) {
		other, err := registration.Register(ctx, client, target, bundle(t, client))
		if err != nil {
			t.Fatal(err)
		}
		endProcess()
		if len(bundle(t, client)) == 0 {
			t.Error("the first process removed the second one's registration")
		}
		if err := other.Remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := configurations(client).Get(ctx, registration.ConfigurationName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("after the removal: %v, want not found", err)
		}
	})

	t.Run("what was deleted stays deleted", func(t *testing.T) {
		if err := client.CoreV1().Secrets(policy.Namespace).Delete(ctx, certificate.SecretName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := certificate.WaitForCA(ctx, client, policy.Namespace); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // nothing to wait for: the keeper is to do nothing
		if _, err := configurations(client).Get(ctx, registration.ConfigurationName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("after the deletion: %v, want not found", err)
		}
	})

	t.Run("the end of the process ends the registration", func(t *testing.T) {
		end := run(t, process.Start)
		within(t, 20*time.Second, "registered", func() bool {
			_, err := configurations(client).Get(ctx, registration.ConfigurationName, metav1.GetOptions{})
			return err == nil
		})
		end()
		if _, err := configurations(client).Get(ctx, registration.ConfigurationName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("after the end: %v, want not found", err)
		}
	})
}

func startAPIServer(t *testing.T) *rest.Config {
	t.Helper()
	controlPlane, err := lab.StartControlPlane(t.Context(), lab.ControlPlaneOptions{Dir: t.TempDir(), Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := controlPlane.Stop(); err != nil {
			t.Errorf("stop the control plane: %v", err)
		}
	})
	config, err := clientcmd.BuildConfigFromFlags("", controlPlane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 1000, 1000
	return config
}

// run starts f, and ends it at the end of the test or when the function it returns is called.
func run(t *testing.T, f func(context.Context) error) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

// refused creates a pod, dry, and reports whether our webhook refused it.
func refused(t *testing.T, client kubernetes.Interface) bool {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "p-", Namespace: metav1.NamespaceDefault},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "nginx"}}},
	}
	_, err := client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil {
		return false
	}
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `admission webhook "pods.headroom.dev" denied the request: image storage: no`) {
		t.Fatalf("unexpected error: %v", err)
	}
	return true
}

// issuedBy reports whether the certificate being served is one of this CA.
func issuedBy(t *testing.T, source *certificate.Source, caPEM []byte) bool {
	t.Helper()
	served, err := source.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(served.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots})
	return err == nil
}

func configurations(client kubernetes.Interface) typedadmission.ValidatingWebhookConfigurationInterface {
	return client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
}

func bundle(t *testing.T, client kubernetes.Interface) []byte {
	t.Helper()
	c, err := configurations(client).Get(t.Context(), registration.ConfigurationName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	one := c.Webhooks[0].ClientConfig.CABundle
	for _, w := range c.Webhooks[1:] {
		if !bytes.Equal(one, w.ClientConfig.CABundle) {
			return nil // about to be made equal
		}
	}
	return one
}

func within(t *testing.T, limit time.Duration, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
