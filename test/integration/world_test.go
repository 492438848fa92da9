// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/serve"
)

// startHeadroom runs `headroom serve` with the rights of its ServiceAccount and
// no others, and waits until every node has been measured.
func startHeadroom(t *testing.T, args ...string) *serve.Process {
	t.Helper()
	p := startUnmeasured(t, serve.Options{Args: args})
	eventually(t, time.Minute, "every node is measured", func() bool {
		measured := p.Metric(t, "headroom_ledger_nodes", "tier=Measured")
		return int(measured) >= len(shared.fleet.Nodes()) && measured == p.Metric(t, "headroom_ledger_nodes")
	})
	return p
}

func startUnmeasured(t *testing.T, o serve.Options) *serve.Process {
	t.Helper()
	if o.Kubeconfig == "" {
		o.Kubeconfig = shared.serveKubeconfig
	}
	o.Args = append([]string{
		"--kubelet-certificate-authority", shared.plane.CAFile, "--registry", "off",
		"--kubelet-interval", "1s", "--kubelet-pending-interval", "1s", "--shutdown-delay", "100ms",
	}, o.Args...)
	return serve.Start(t, o)
}

// setPolicy writes the lines below a policy's head. Every test needs the sizes
// of its images, which no registry is asked for.
func setPolicy(t *testing.T, lines ...string) {
	t.Helper()
	setPolicyText(t, policyText(lines...))
}

func policyText(lines ...string) string {
	return "apiVersion: headroom.dev/v1alpha1\nkind: Policy\n" + strings.Join(lines, "\n") + "\n" +
		"images: [{match: 'example.com/huge:*', size: 20Gi}, {match: 'example.com/big:*', size: 7Gi}, {match: 'example.com/small:*', size: 100Mi}]\n" +
		"nodePools: [{name: all, selector: {}, elastic: false}]\n"
}

func setPolicyText(t *testing.T, text string) {
	t.Helper()
	setPolicyData(t, map[string]string{"policy.yaml": text})
}

func setPolicyData(t *testing.T, data map[string]string) {
	t.Helper()
	body, err := json.Marshal(corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: "headroom-policy", Namespace: "headroom-system"},
		Data:       data,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), string(body), "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "configmap", "-n", "headroom-system", "headroom-policy", "--ignore-not-found")
	})
}

// awaitMode waits until the policy's mode is in force.
func awaitMode(t *testing.T, p *serve.Process, mode string) {
	t.Helper()
	eventually(t, 10*time.Second, "mode "+mode+" is in force", func() bool {
		return p.Metric(t, "headroom_policy_info", "mode="+mode) == 1
	})
}

// awaitWebhook waits until the API server asks Headroom: it reads webhook
// configurations by a watch.
func awaitWebhook(t *testing.T, p *serve.Process) {
	t.Helper()
	eventually(t, 20*time.Second, "the API server asks Headroom", func() bool {
		before := asked(t, p)
		if _, err := dryRun(t, "default", podOf("probe", "example.com/small:1")); err != nil {
			t.Fatal(err)
		}
		return asked(t, p) > before
	})
}

func asked(t *testing.T, p *serve.Process) float64 {
	t.Helper()
	return p.Metric(t, "headroom_admission_decisions_total") + p.Metric(t, "headroom_admission_exempt_total")
}

func podOf(name, image string) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image, ImagePullPolicy: corev1.PullIfNotPresent}}},
	}
}

// dryRun asks the API server to create a pod and not to keep it: it is judged
// and nothing else happens, so that the next pod meets the same numbers.
func dryRun(t *testing.T, namespace string, pod *corev1.Pod) (stderr string, err error) {
	t.Helper()
	_, stderr, err = shared.plane.KubectlInput(t.Context(), asJSON(t, pod), "create", "--dry-run=server", "-n", namespace, "-f", "-")
	return stderr, err
}

func asJSON(t *testing.T, object any) string {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, _, err := shared.plane.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// quiet waits until no pod of another test is left: one that is still going
// makes estimates of the figures that the next test compares.
func quiet(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, "no pod is left", func() bool {
		pods, err := shared.client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
		return err == nil && len(pods.Items) == 0
	})
}

// namespace makes namespaces that end with the test, and are gone before the next.
func namespace(t *testing.T, names ...string) {
	t.Helper()
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), append([]string{"delete", "namespace", "--timeout=60s"}, names...)...)
	})
	for _, name := range names {
		kubectl(t, "create", "namespace", name)
		eventually(t, 30*time.Second, "namespace "+name+" has a ServiceAccount", func() bool {
			_, err := shared.client.CoreV1().ServiceAccounts(name).Get(t.Context(), "default", metav1.GetOptions{})
			return err == nil
		})
	}
}

func eventually(t *testing.T, timeout time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", timeout, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// result is how a run of the headroom command ended.
type result struct {
	code           int
	stdout, stderr string
}

// headroom runs the command with a kubeconfig of all rights, unless args say otherwise.
func headroom(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, serve.Binary(t), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+shared.plane.Kubeconfig)
	command.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit, ended := errors.AsType[*exec.ExitError](err); err != nil && (!ended || exit.ExitCode() < 0) {
		t.Fatalf("headroom %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return result{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// write makes a file of a test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// golden compares text with a file of testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); run with -update if this is meant:\n%s", path, diff)
	}
}

// matches fails unless got, without its last newline, is what the pattern says as a whole.
func matches(t *testing.T, what, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSuffix(got, "\n")) {
		t.Errorf("%s is\n  %s\nwant\n  %s", what, got, pattern)
	}
}
