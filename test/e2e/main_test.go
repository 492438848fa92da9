// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e holds Headroom against real kubelets and real containerd, each on
// an image file system small enough to fill in seconds.
//
// It needs root and a few Debian packages; without them it says so and is
// skipped, and fails where CI=true. Tests run one after the other: they share
// a control plane, its one policy and its one webhook configuration.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/serve"
)

// shared is what all tests stand on.
var shared struct {
	plane    *lab.ControlPlane
	registry *lab.Registry
	client   kubernetes.Interface
	// serveKubeconfig has the rights of the manifests' ServiceAccount and no others.
	serveKubeconfig string
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := lab.Available(); err != nil {
		fmt.Println("real nodes: skipped:", err)
		if os.Getenv("CI") == "true" {
			fmt.Println("FAIL: CI must be able to start real nodes")
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "headroom-e2e-")
	if err != nil {
		fmt.Println("FAIL:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	// What the tests build goes there, too.
	if err := os.Setenv("TMPDIR", dir); err != nil {
		fmt.Println("FAIL:", err)
		return 1
	}
	stop, err := start(context.Background(), dir)
	defer stop()
	if err != nil {
		fmt.Println("FAIL:", err)
		return 1
	}
	defer func() { fmt.Println(serve.ReplayedSoFar()) }()
	return m.Run()
}

// start brings up what all tests share. stop may be called whatever err is.
func start(ctx context.Context, dir string) (stop func(), err error) {
	stop = func() {}
	shared.plane, err = lab.StartControlPlane(ctx, lab.ControlPlaneOptions{
		Dir: filepath.Join(dir, "lab"), Out: os.Stdout, ForNodes: true, ControllerManager: true, Scheduler: true,
		// There is no kube-proxy: the API server calls a Service's pods themselves.
		APIServerArgs: []string{"--enable-aggregator-routing=true"},
	})
	if err != nil {
		return stop, err
	}
	stop = func() { report(shared.plane.Stop()) }
	shared.registry, err = lab.StartRegistry(ctx, filepath.Join(dir, "registry"), shared.plane.Address)
	if err != nil {
		return stop, err
	}
	stop = func() { report(shared.registry.Stop()); report(shared.plane.Stop()) }
	config, err := shared.plane.RESTConfig()
	if err != nil {
		return stop, err
	}
	if shared.client, err = kubernetes.NewForConfig(config); err != nil {
		return stop, err
	}
	if _, stderr, err := shared.plane.Kubectl(ctx, "apply", "-k", "../../manifests/dev"); err != nil {
		return stop, fmt.Errorf("apply manifests/dev: %w\n%s", err, stderr)
	}
	if _, err := shared.client.CoreV1().ServiceAccounts("headroom-system").Get(ctx, "headroom", metav1.GetOptions{}); err != nil {
		return stop, err
	}
	shared.serveKubeconfig, err = shared.plane.UserKubeconfig("system:serviceaccount:headroom-system:headroom",
		"system:serviceaccounts", "system:serviceaccounts:headroom-system", "system:authenticated")
	return stop, err
}

func report(err error) {
	if err != nil {
		fmt.Println("while cleaning up:", err)
	}
}
