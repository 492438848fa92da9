// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// serveErrors parses flags and returns every line of what is wrong with them.
func serveErrors(t *testing.T, args ...string) []string {
	t.Helper()
	o := newServeOptions()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	o.addFlags(flags)
	if err := flags.Parse(args); err != nil {
		return []string{err.Error()}
	}
	err := errors.Join(o.complete(), o.validate())
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestEveryMistakeInFlagsIsNamedAtOnce(t *testing.T) {
	got := serveErrors(t,
		"--webhook-url", "http://x", "--kubelet-via", "sideways", "--kubelet-certificate-authority", "/nowhere/ca.crt", "--kubelet-concurrency", "0", "--kubelet-timeout", "0s",
		"--registry", "maybe", "--registry-tag-ttl", "-1s", "--registry-endpoint", "nonsense", "--log-format", "xml",
		"--kubelet-interval", "0s", "--kubelet-pending-interval", "-1s", "--sync-timeout", "0s", "--resync-period", "-1s", "--size-wait", "-1s", "--shutdown-delay", "-1s",
		"--size-waiters", "0", "--gc-percent", "0", "--tls-cert-file", "a", "--webhook-address", "0", "--health-address", "x", "--metrics-address", "y",
	)
	want := []string{
		`--webhook-url: "http://x" does not start with https://: the API server calls webhooks over TLS only`,
		`--kubelet-via: must be direct, apiserver or off, got "sideways"`,
		`--kubelet-certificate-authority: stat /nowhere/ca.crt: no such file or directory`,
		`--kubelet-concurrency: must be 1 or more, got 0`,
		`--kubelet-timeout: must be positive, got 0s`,
		`--registry: must be on or off, got "maybe"`,
		`--registry-tag-ttl: must be positive, got -1s`,
		`--registry-endpoint: registry endpoint "nonsense": want HOST=URL, such as docker.io=https://mirror.example.com`,
		`--log-format: must be text or json, got "xml"`,
		`--kubelet-interval: must be positive, got 0s`,
		`--kubelet-pending-interval: must be positive, got -1s`,
		`--sync-timeout: must be positive, got 0s`,
		`--resync-period: must not be negative, got -1s`,
		`--size-wait: must not be negative, got -1s`,
		`--shutdown-delay: must not be negative, got -1s`,
		`--size-waiters: must be 1 or more, got 0`,
		`--gc-percent: must be 1 or more, got 0`,
		`--tls-cert-file and --tls-key-file: name both or neither`,
		`--webhook-address: must be HOST:PORT or :PORT, got "0"`,
		`--health-address: must be HOST:PORT or :PORT, got "x"`,
		`--metrics-address: must be HOST:PORT or :PORT, got "y"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func TestServeFlags(t *testing.T) {
	cases := map[string]struct {
		args, want []string
	}{
		"the defaults need a word about kubelets' certificates": {nil, []string{
			"--kubelet-via=direct: name the CA of kubelets' serving certificates with --kubelet-certificate-authority, or accept unchecked ones with --kubelet-insecure-tls",
		}},
		"not checking them is enough":     {[]string{"--kubelet-insecure-tls"}, nil},
		"not asking them is, too":         {[]string{"--kubelet-via", "off"}, nil},
		"nor is the API server in need":   {[]string{"--kubelet-via", "apiserver"}, nil},
		"health and metrics switched off": {[]string{"--kubelet-via", "off", "--health-address", "0", "--metrics-address", "0"}, nil},
		"profiles switched on":            {[]string{"--kubelet-via", "off", "--pprof-address", "127.0.0.1:6060"}, nil},
		"profiles at no address":          {[]string{"--kubelet-via", "off", "--pprof-address", "on"}, []string{`--pprof-address: must be HOST:PORT or :PORT, got "on"`}},
		"zero where it means never":       {[]string{"--kubelet-via", "off", "--resync-period", "0", "--size-wait", "0", "--shutdown-delay", "0"}, nil},
		"out of the cluster":              {[]string{"--kubelet-via", "off", "--webhook-url", "https://127.0.0.1:9443"}, nil},
		"a duration without a unit":       {[]string{"--size-wait", "5"}, []string{`invalid argument "5" for "--size-wait" flag: time: missing unit in duration "5"`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, serveErrors(t, tc.args...)); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWebhookURLTellsTheAddress(t *testing.T) {
	for url, want := range map[string]string{
		"https://127.0.0.1:9443": "127.0.0.1:9443",
		"https://example.com":    "example.com:443",
		"https://[::1]:9443/x":   "[::1]:9443",
		"":                       ":9443",
	} {
		o := newServeOptions()
		o.webhookURL = url
		if err := o.complete(); err != nil || o.webhookAddress != want {
			t.Errorf("%q: listens on %q, error %v; want %q", url, o.webhookAddress, err, want)
		}
	}
}

func TestPortsInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	o := newServeOptions()
	o.healthAddress, o.metricsAddress, o.webhookURL = address, "0", "https://"+address
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	want := "--health-address: can't listen on " + address + ": bind: address already in use; choose another port\n" +
		"--webhook-url: can't listen on " + address + ": bind: address already in use; choose another port"
	if err := o.portsFree(); err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

func TestKubeconfigMistakes(t *testing.T) {
	t.Setenv("KUBECONFIG", "")
	t.Setenv("HOME", t.TempDir())
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	broken, text, empty := file("broken", "a: [\n"), file("text", "hello\n"), file("empty", "")
	good := file("good", "{apiVersion: v1, kind: Config, contexts: [{name: a, context: {cluster: b}}], current-context: a}")
	cases := map[string]struct {
		connection connection
		want       string
	}{
		"not YAML":      {connection{kubeconfig: broken}, "kubeconfig " + broken + " does not parse: line 1: did not find expected node content; correct it or name another one with --kubeconfig"},
		"not an object": {connection{kubeconfig: text}, "kubeconfig " + text + " does not parse: it is not an object with apiVersion and kind; correct it or name another one with --kubeconfig"},
		"missing":       {connection{kubeconfig: dir + "/gone"}, "kubeconfig " + dir + "/gone: no such file; name another one with --kubeconfig"},
		"empty":         {connection{kubeconfig: empty}, "kubeconfig " + empty + ": it names no cluster; name another one with --kubeconfig"},
		"no cluster":    {connection{kubeconfig: good}, "kubeconfig " + good + ": it names no cluster; name another one with --kubeconfig"},
		"no context":    {connection{kubeconfig: good, context: "z"}, "kubeconfig " + good + `: context "z" does not exist`},
		"none whatever": {connection{}, "no cluster to talk to: no kubeconfig was found and this is not a pod; name one with --kubeconfig or KUBECONFIG"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := tc.connection.config(); err == nil || err.Error() != tc.want {
				t.Errorf("error\n%v\nwant\n%s", err, tc.want)
			}
		})
	}
}
