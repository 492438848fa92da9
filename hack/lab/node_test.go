// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNode runs a pod on a real node. It needs root and some Debian packages.
func TestNode(t *testing.T) {
	if err := Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no real node here: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "lab")
	cp, err := StartControlPlane(t.Context(), ControlPlaneOptions{
		Dir: dir, Out: t.Output(), ForNodes: true, ControllerManager: true, Scheduler: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	registry, err := StartRegistry(t.Context(), filepath.Join(dir, "registry"), cp.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registry.Stop(); err != nil {
			t.Error(err)
		}
	})
	const size = 64 << 20
	image := Image{Name: "demo/app:v1", Layers: []Layer{{Bytes: size, Content: Random, Seed: 1}}}
	if _, err := registry.Push(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	node, err := StartNode(t.Context(), cp, registry, NodeOptions{
		Name: "node1", DiskBytes: 1 << 30, Labels: map[string]string{"pool": "test"},
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("a pod runs from a pushed image, and the image file system has less room", func(t *testing.T) {
		_, before, err := node.Statfs()
		if err != nil {
			t.Fatal(err)
		}
		runPod(t, cp, "app", RegistryHost+"/"+image.Name, "node1")
		_, after, err := node.Statfs()
		if err != nil {
			t.Fatal(err)
		}
		// Compressed and uncompressed, both are kept.
		if used := before - after; used < 2*size || used > 2*size+8<<20 {
			t.Errorf("the image of %d random bytes took %d bytes, want twice its size and little more", size, used)
		}
	})
	t.Run("the API server asks the kubelet for its Summary", func(t *testing.T) {
		out, _, err := cp.Kubectl(t.Context(), "get", "--raw", "/api/v1/nodes/node1/proxy/stats/summary")
		if err != nil {
			t.Fatal(err)
		}
		var summary struct {
			Node struct {
				Runtime struct{ ImageFs struct{ CapacityBytes int64 } }
			}
		}
		if err := json.Unmarshal([]byte(out), &summary); err != nil {
			t.Fatal(err)
		}
		capacity, _, err := node.Statfs()
		if err != nil {
			t.Fatal(err)
		}
		if got := summary.Node.Runtime.ImageFs.CapacityBytes; got != capacity {
			t.Errorf("the kubelet says its image file system has %d bytes, the file system says %d", got, capacity)
		}
	})
	t.Run("the node has its labels", func(t *testing.T) {
		out, _, err := cp.Kubectl(t.Context(), "get", "nodes", "-l", "pool=test", "-o", "name")
		if err != nil || strings.TrimSpace(out) != "node/node1" {
			t.Errorf("nodes with the label: %q, %v", out, err)
		}
	})
	t.Run("a node that discards unpacked layers keeps half of that", func(t *testing.T) {
		other, err := StartNode(t.Context(), cp, registry, NodeOptions{Name: "node2", DiskBytes: 1 << 30, DiscardUnpackedLayers: true})
		if err != nil {
			t.Fatal(err)
		}
		_, before, err := other.Statfs()
		if err != nil {
			t.Fatal(err)
		}
		runPod(t, cp, "discarded", RegistryHost+"/"+image.Name, "node2")
		var used int64
		for range 100 { // the content is collected a moment after the pull
			_, after, err := other.Statfs()
			if err != nil {
				t.Fatal(err)
			}
			if used = before - after; used < size+8<<20 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if used < size || used > size+8<<20 {
			t.Errorf("the image of %d random bytes took %d bytes, want little more than its size", size, used)
		}
		if err := other.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("its kubelet stops and starts", func(t *testing.T) {
		if err := node.StopKubelet(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := cp.Kubectl(t.Context(), "get", "--raw", "/api/v1/nodes/node1/proxy/healthz"); err == nil {
			t.Error("a stopped kubelet answers")
		}
		if err := node.StartKubelet(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("stopping it leaves nothing of it on the machine", func(t *testing.T) {
		state := cp.state.read()
		if err := node.Stop(); err != nil {
			t.Fatal(err)
		}
		wantGone(t, state.Nodes[0])
		if err := cp.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := net.InterfaceByName(state.Bridge); err == nil {
			t.Errorf("interface %s is still there", state.Bridge)
		}
	})
}

// runPod creates a pod for a node and waits until it runs.
func runPod(t *testing.T, cp *ControlPlane, name, image, node string) {
	t.Helper()
	pod := fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q},"spec":{"terminationGracePeriodSeconds":0,
		"nodeSelector":{"kubernetes.io/hostname":%q},"containers":[{"name":"main","image":%q}]}}`, name, node, image)
	if _, _, err := cp.KubectlInput(t.Context(), pod, "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, _, err := cp.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=90s", "pod/"+name); err != nil {
		description, _, _ := cp.Kubectl(t.Context(), "describe", "pod", name)
		t.Fatalf("%v\n%s", err, description)
	}
}

// wantGone checks that everything a node has made is gone.
func wantGone(t *testing.T, n NodeState) {
	t.Helper()
	for _, p := range n.Processes {
		if p.Alive() {
			t.Errorf("%s (process %d) still runs", p.Name, p.PID)
		}
	}
	if left := shims(n.Folder); len(left) > 0 {
		t.Errorf("shims still run: %v", left)
	}
	if mounts, err := mountsBelow(n.Folder); err != nil || len(mounts) > 0 {
		t.Errorf("still mounted: %v, %v", mounts, err)
	}
	if _, err := os.Stat(n.Folder); err == nil {
		t.Errorf("%s is still there", n.Folder)
	}
	if _, err := os.Stat(namespacePath(n.Namespace)); err == nil {
		t.Errorf("network namespace %s is still there", n.Namespace)
	}
	if _, err := net.InterfaceByName(n.Interface); err == nil {
		t.Errorf("interface %s is still there", n.Interface)
	}
	if users := usersOf(t, n.Folder); len(users) > 0 {
		t.Errorf("these still use the node's disk: %v", users)
	}
	groups, err := filepath.Glob(filepath.Join(cgroupMount, "*", n.Cgroup))
	if err != nil || len(groups) > 0 {
		t.Errorf("control groups are still there: %v, %v", groups, err)
	}
}

// usersOf lists the processes, in whatever namespace, and the loop devices that still use something below a folder. The kernel
// may take a moment to let go of a loop device.
func usersOf(t *testing.T, folder string) []string {
	t.Helper()
	var users []string
	for range 50 {
		users = users[:0]
		for _, pattern := range []string{"/proc/[0-9]*/mountinfo", "/sys/block/loop*/loop/backing_file"} {
			files, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if content, err := os.ReadFile(file); err == nil && strings.Contains(string(content), folder+"/") {
					users = append(users, file)
				}
			}
		}
		if len(users) == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return users
}
