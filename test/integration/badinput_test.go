// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/test/serve"
)

// TestServeThatCannotStart: one clear sentence, exit code 2, and nothing left behind.
func TestServeThatCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := regexp.QuoteMeta(taken.Addr().String())
	broken := write(t, "kubeconfig", "clusters: [\n")
	nobody := kubeconfigOf(t, "nobody", nil)
	cases := map[string]struct {
		kubeconfig string
		args       []string
		says       string
	}{
		"a kubeconfig that doesn't parse": {broken, nil, `error: kubeconfig ` + broken + ` does not parse: line 1: .*; correct it or name another one with --kubeconfig`},
		"a kubeconfig that isn't there":   {"/nowhere/config", nil, `error: kubeconfig /nowhere/config: no such file; name another one with --kubeconfig`},
		"ports in use": {
			"",
			[]string{"--health-address", taken.Addr().String(), "--metrics-address", taken.Addr().String()},
			`error: --health-address: can't listen on ` + busy + `: bind: address already in use; choose another port\n` +
				`error: --metrics-address: can't listen on ` + busy + `: bind: address already in use; choose another port`,
		},
		"the webhook's port in use": {"", []string{"--webhook-url", "https://" + taken.Addr().String()}, `error: --webhook-url: can't listen on ` + busy + `: bind: address already in use; choose another port`},
		"an unknown flag":           {"", []string{"--modus", "Enforce"}, `error: unknown flag: --modus`},
		"two flags with a value that can't be": {
			"",
			[]string{"--size-wait", "-1s", "--kubelet-via", "pigeon"},
			`error: --kubelet-via: must be direct, apiserver or off, got "pigeon"\nerror: --size-wait: must not be negative, got -1s`,
		},
		"no rights at all":               {nobody, []string{"--sync-timeout", "2s"}, `error: .*: cannot list (nodes|pods|namespaces|configmaps) .*: user "nobody" needs list on (nodes|pods|namespaces|configmaps)(\nerror: cannot list pods .* needs list on pods)?`},
		"an API server that isn't there": {nowhere(t), []string{"--sync-timeout", "2s"}, `error: .* within 2s: the API server can't be reached: dial tcp 127.0.0.1:1: connect: connection refused`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := startUnmeasured(t, serve.Options{Kubeconfig: tc.kubeconfig, Args: tc.args, NotReady: true})
			p.Wait(t, 30*time.Second)
			if p.ExitCode() != 2 {
				t.Errorf("exit code %d, want 2", p.ExitCode())
			}
			matches(t, "what it says", errorLines(p.Log()), tc.says)
			if out := kubectl(t, "get", "validatingwebhookconfigurations", "-o", "name"); out != "" {
				t.Errorf("it left %s behind", out)
			}
		})
	}
}

// errorLines are the lines that are no log.
func errorLines(log string) string {
	var kept []string
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "error:") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	return strings.Join(kept, "\n")
}

// kubeconfigOf makes a user with these rules and no other rights.
func kubeconfigOf(t *testing.T, user string, rules []string) string {
	t.Helper()
	path, err := shared.plane.UserKubeconfig(user, "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) == 0 {
		return path
	}
	_, stderr, err := shared.plane.KubectlInput(t.Context(), `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: test-`+user+`}
rules: [`+strings.Join(rules, ", ")+`]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: test-`+user+`}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: test-`+user+`}
subjects: [{kind: User, name: `+user+`, apiGroup: rbac.authorization.k8s.io}]
`, "apply", "-f", "-")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "clusterrole/test-"+user, "clusterrolebinding/test-"+user)
	})
	return path
}

// nowhere is a kubeconfig whose API server does not run.
func nowhere(t *testing.T) string {
	t.Helper()
	return write(t, "kubeconfig", "{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}], contexts: [{name: a, context: {cluster: a}}], current-context: a}")
}
