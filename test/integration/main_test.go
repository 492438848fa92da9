// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration holds the whole program against a real API server, with
// simulated kubelets: the real `headroom serve`, real kubectl, the manifests'
// own rights.
//
// It needs no root. Tests run one after the other: they share a control plane,
// its one policy and its one webhook configuration.
package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/serve"
	"github.com/headroom-dev/headroom/test/simnode"
	"github.com/headroom-dev/headroom/test/simnode/disk"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// headroomUser is who `headroom serve` is in a cluster.
const headroomUser = "system:serviceaccount:headroom-system:headroom"

// shared is what all tests stand on.
var shared struct {
	plane  *lab.ControlPlane
	fleet  *simnode.Fleet
	client kubernetes.Interface
	// serveKubeconfig has the rights of the manifests' ServiceAccount and no others.
	serveKubeconfig string
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	if testing.Short() {
		fmt.Println("integration: skipped: it starts a real control plane; not with -short")
		return 0
	}
	dir, err := os.MkdirTemp("", "headroom-integration-")
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
	defer func() {
		if err := stop(); err != nil {
			fmt.Println("while cleaning up:", err)
			code = max(code, 1)
		}
	}()
	if err := start(context.Background(), dir); err != nil {
		fmt.Println("FAIL:", err)
		return 1
	}
	defer func() { fmt.Println(serve.ReplayedSoFar()) }()
	return m.Run()
}

// start brings up what all tests share; stop undoes as much of it as there is.
func start(ctx context.Context, dir string) (err error) {
	auditPolicy, err := filepath.Abs("testdata/audit-policy.yaml")
	if err != nil {
		return err
	}
	shared.plane, err = lab.StartControlPlane(ctx, lab.ControlPlaneOptions{
		Dir: filepath.Join(dir, "lab"), Out: os.Stdout, ControllerManager: true, Scheduler: true,
		APIServerArgs: []string{"--audit-policy-file=" + auditPolicy},
	})
	if err != nil {
		return err
	}
	config, err := shared.plane.RESTConfig()
	if err != nil {
		return err
	}
	if shared.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if _, stderr, err := shared.plane.Kubectl(ctx, "apply", "-k", "../../manifests/dev"); err != nil {
		return fmt.Errorf("apply manifests/dev: %w\n%s", err, stderr)
	}
	shared.serveKubeconfig, err = shared.plane.UserKubeconfig(headroomUser,
		"system:serviceaccounts", "system:serviceaccounts:headroom-system", "system:authenticated")
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(shared.plane.CAFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(filepath.Dir(shared.plane.CAFile), "ca.key"))
	if err != nil {
		return err
	}
	shared.fleet, err = simnode.Start(ctx, simnode.Options{
		Config: config, Speed: 10, ListenAddress: "auto", ServingCACertPEM: ca, ServingCAKeyPEM: key, ClientCAPEM: ca,
		AuthCacheTTL: -1, // the tests take rights away
		Nodes:        []simnode.NodeSpec{{Name: "sim-1", Config: tenGi()}, {Name: "sim-2", Config: tenGi()}},
	})
	return err
}

// tenGi is a node whose 10Gi disk has 8Gi available: 6.5Gi before pods are
// evicted, and nothing that could be reclaimed.
func tenGi() disk.Config {
	return disk.Config{
		DiskBytes: 10 << 30, OtherUsedBytes: othersBytes, PullBytesPerSecond: 1 << 30,
		PreloadedImages: []string{simnode.PauseImage}, // a node that lists no image says nothing about what it has
	}
}

// othersBytes makes 2Gi, with the pause image.
const othersBytes = 2<<30 - 1_060_000

func stop() error {
	if shared.fleet != nil {
		shared.fleet.Stop()
	}
	if shared.plane == nil {
		return nil
	}
	return errors.Join(shared.plane.Stop())
}
