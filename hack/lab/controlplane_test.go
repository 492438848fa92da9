// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestControlPlane(t *testing.T) {
	cp, err := StartControlPlane(t.Context(), ControlPlaneOptions{
		Dir: filepath.Join(t.TempDir(), "lab"), Out: t.Output(), ControllerManager: true, Scheduler: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
		if !stopped {
			t.Log("the control plane was not stopped by the test itself")
		}
	})

	t.Run("kubectl creates a pod, and the audit log says so at once", func(t *testing.T) {
		const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"first"},
			"spec":{"containers":[{"name":"main","image":"registry.lab/app:v1"}]}}`
		if _, _, err := cp.KubectlInput(t.Context(), pod, "create", "-f", "-"); err != nil {
			t.Fatal(err)
		}
		if !audited(t, cp.AuditLog, "create", "pods", "first") {
			t.Errorf("the audit log has no entry of the pod's creation")
		}
	})
	t.Run("a user of its own has no rights until it is given some", func(t *testing.T) {
		kubeconfig, err := cp.UserKubeconfig("jane@example.com", "developers")
		if err != nil {
			t.Fatal(err)
		}
		_, stderr, err := cp.Kubectl(t.Context(), "--kubeconfig", kubeconfig, "get", "pods")
		if err == nil || !strings.Contains(stderr, `User "jane@example.com" cannot list resource "pods"`) {
			t.Fatalf("get pods: %v, %q, want it forbidden", err, stderr)
		}
		if _, _, err := cp.Kubectl(t.Context(), "create", "clusterrolebinding", "readers", "--clusterrole=view", "--group=developers"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := cp.Kubectl(t.Context(), "--kubeconfig", kubeconfig, "get", "pods"); err != nil {
			t.Errorf("get pods as a member of the group: %v", err)
		}
	})
	t.Run("a ServiceAccount gets a token", func(t *testing.T) {
		token, _, err := cp.Kubectl(t.Context(), "create", "token", "default")
		if err != nil || strings.Count(token, ".") != 2 {
			t.Errorf("create token: %q, %v", token, err)
		}
	})
	t.Run("the kubeconfig works for other clients", func(t *testing.T) {
		config, err := clientcmd.BuildConfigFromFlags("", cp.Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		version, err := kubernetes.NewForConfigOrDie(config).Discovery().ServerVersion()
		if err != nil || version.GitVersion != kubernetesVersion {
			t.Errorf("version %v, %v, want %s", version, err, kubernetesVersion)
		}
	})
	t.Run("its folder is taken while it runs", func(t *testing.T) {
		_, err := StartControlPlane(t.Context(), ControlPlaneOptions{Dir: cp.Dir})
		if err == nil || !strings.Contains(err.Error(), "is in use by the lab of process") {
			t.Errorf("a second one in the same folder: %v", err)
		}
	})
	t.Run("stopping ends all of its processes and forgets it", func(t *testing.T) {
		processes := cp.state.read().Processes
		if len(processes) != 4 {
			t.Errorf("%d processes are written down, want 4: %v", len(processes), processes)
		}
		if err := cp.Stop(); err != nil {
			t.Fatal(err)
		}
		stopped = true
		for _, p := range processes {
			if p.Alive() {
				t.Errorf("%s (process %d) still runs", p.Name, p.PID)
			}
		}
		if _, err := openState(cp.Dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the state is still there: %v", err)
		}
	})
}

// audited says whether the audit log has an entry about an object.
func audited(t *testing.T, path, verb, resource, name string) bool {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(content) {
		var event struct {
			Verb      string
			ObjectRef struct{ Resource, Name string }
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		if event.Verb == verb && event.ObjectRef.Resource == resource && event.ObjectRef.Name == name {
			return true
		}
	}
	return false
}
