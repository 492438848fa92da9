// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

const account = "headroom"

// TestAgainstARealAPIServer runs the feeds as a ServiceAccount: first without rights, then with exactly those that they
// need.
func TestAgainstARealAPIServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane: not with -short")
	}
	cp, err := lab.StartControlPlane(t.Context(), lab.ControlPlaneOptions{Dir: filepath.Join(t.TempDir(), "lab"), Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	config, err := cp.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	admin := clientFor(t, config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + policy.Namespace + ":" + account, Groups: []string{"system:serviceaccounts", "system:authenticated"},
	}
	own := clientFor(t, controller.ProtobufConfig(config))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: policy.Namespace}}
	if _, err := admin.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	t.Run("without rights, it says which one is missing", func(t *testing.T) {
		informers, err := controller.NewInformers(own, ledger.New(), controller.InformerOptions{SyncTimeout: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		err = informers.Start(quiet(t))
		for _, want := range []string{
			"cannot list nodes at cluster scope: ServiceAccount headroom-system/headroom needs list on nodes",
			"cannot list pods at cluster scope: ServiceAccount headroom-system/headroom needs list on pods",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("start: %v, want %q", err, want)
			}
		}
	})

	t.Run("without rights, no event is watched, and that is logged once", func(t *testing.T) { eventsForbidden(t, own) })

	grant(t, admin)
	eventually(t, "the rights are in force", func() bool {
		_, err := own.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
	t.Run("nodes and pods reach the ledger", func(t *testing.T) { nodesAndPods(t, admin, own) })
	t.Run("events about pulls reach the ledger", func(t *testing.T) { pulledEvents(t, admin, own) })
	t.Run("policy edits are in force within two seconds", func(t *testing.T) { policyEdits(t, admin, own) })
}

// grant gives the ServiceAccount the rights that the package's constructors ask for, and no other.
func grant(t *testing.T, admin kubernetes.Interface) {
	t.Helper()
	read := []string{"list", "watch"}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: policy.Namespace, Name: account}}
	rbac := admin.RbacV1()
	_, err := rbac.ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes", "pods", "events"}, Verbs: read}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = rbac.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: account},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	events := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}}
	configMap := rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{policy.ConfigMapName}, Verbs: read,
	}
	for namespace, rules := range map[string][]rbacv1.PolicyRule{
		metav1.NamespaceDefault: {events},
		policy.Namespace:        {events, configMap},
	} {
		if _, err := rbac.Roles(namespace).Create(t.Context(), &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Name: account}, Rules: rules,
		}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := rbac.RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: account}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func nodesAndPods(t *testing.T, admin, own kubernetes.Interface) {
	createNode := func(name string) {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		node, err := admin.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		node.Status.NodeInfo.ContainerRuntimeVersion = "containerd://2.4.0"
		node.Status.Images = []corev1.ContainerImage{{Names: []string{"docker.io/library/app:1"}, SizeBytes: 1 << 20}}
		if _, err := admin.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	createNode("before")
	l := ledger.New()
	informers, err := controller.NewInformers(own, l, controller.InformerOptions{SyncTimeout: time.Minute, ResyncPeriod: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	run(t, informers.Start)
	eventually(t, "the ledger is synced", func() bool { return l.Snapshot().Synced() })
	if _, known := l.Snapshot().Node("before"); !known {
		t.Error("synced without the node of the first list")
	}
	createNode("after")
	eventually(t, "a new node, and its images", func() bool {
		row, known := l.Snapshot().Node("after")
		if !known {
			return false
		}
		listed, _ := row.ImagesListed()
		return listed == 1 && row.Runtime == "containerd"
	})
	automount := false
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "p"},
		Spec: corev1.PodSpec{
			NodeName: "", AutomountServiceAccountToken: &automount,
			Containers: []corev1.Container{{Name: "c", Image: "app:2"}},
		},
	}
	pod, err = admin.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a pod that waits", func() bool {
		row, known := l.Snapshot().UnboundPod(pod.UID)
		return known && len(row.Images) == 1 && row.Images[0].Ref.Familiar() == "app:2"
	})
	if err := admin.CoreV1().Pods(pod.Namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod is gone", func() bool {
		_, known := l.Snapshot().UnboundPod(pod.UID)
		return !known
	})
	if err := admin.CoreV1().Nodes().Delete(t.Context(), "before", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node is gone", func() bool {
		_, known := l.Snapshot().Node("before")
		return !known
	})
}

func policyEdits(t *testing.T, admin, own kubernetes.Interface) {
	events := controller.NewEvents(own)
	run(t, events.Start)
	source, err := controller.NewPolicySource(own, controller.PolicySourceOptions{SyncTimeout: time.Minute, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	run(t, source.Start)
	<-source.Synced()
	if got := source.State(); got.Source != controller.PolicyDefaults || source.Policy().Mode != policy.Warn {
		t.Errorf("without a ConfigMap: mode %s, state %+v", source.Policy().Mode, got)
	}
	configMaps := admin.CoreV1().ConfigMaps(policy.Namespace)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: policy.ConfigMapName}}
	put := func(text string) {
		t.Helper()
		object.Data = map[string]string{policy.ConfigMapKey: "apiVersion: headroom.dev/v1alpha1\nkind: Policy\n" + text}
		write := configMaps.Update
		if object.UID == "" {
			created, err := configMaps.Create(t.Context(), object, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			object = created
			return
		}
		if object, err = write(t.Context(), object, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	within2s := func(what string, inForce func() bool) {
		t.Helper()
		began := time.Now()
		eventually(t, what, inForce)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: in force after %v, want within 2s", what, took)
		}
	}
	put("mode: Enforce\n")
	within2s("created", func() bool { return source.Policy().Mode == policy.Enforce })
	put("mode: Audit\n")
	within2s("changed", func() bool { return source.Policy().Mode == policy.Audit })
	put("mode: Loud\n")
	within2s("made invalid", func() bool { return !source.State().Valid })
	if source.Policy().Mode != policy.Audit || !strings.Contains(source.State().Problem, "mode") {
		t.Errorf("an invalid one: mode %s, state %+v", source.Policy().Mode, source.State())
	}
	if err := configMaps.Delete(t.Context(), policy.ConfigMapName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	within2s("deleted", func() bool { return source.State().Source == controller.PolicyDefaults })
	eventually(t, "two Events on the ConfigMap", func() bool {
		list, err := admin.CoreV1().Events(policy.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		reasons := map[string]bool{}
		for _, e := range list.Items {
			reasons[e.Reason] = e.InvolvedObject.Name == policy.ConfigMapName && e.Type == corev1.EventTypeWarning
		}
		return len(reasons) == 2 && reasons["PolicyInvalid"] && reasons["PolicyDeleted"]
	})

	watch := controller.NewLineWatch(events)
	watch.Sampled("after", ledger.Measurement{CapacityBytes: 100, AvailableBytes: 1, ReceivedAt: time.Now()}, ledger.DefaultLines())
	eventually(t, "an Event on a Node", func() bool {
		list, err := admin.CoreV1().Events(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.kind=Node"})
		return err == nil && len(list.Items) == 1 && list.Items[0].Reason == "ImageStorageBelowEvictionLine"
	})
	if n := events.Dropped(); n != 0 {
		t.Errorf("%d Events dropped", n)
	}
}

// clientFor returns a client whose connections end with the test.
func clientFor(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(client.Transport) })
	clientset, err := kubernetes.NewForConfigAndClient(config, client)
	if err != nil {
		t.Fatal(err)
	}
	return clientset
}

func quiet(t *testing.T) context.Context {
	t.Helper()
	return logr.NewContext(t.Context(), logr.Discard())
}

// run starts f, and ends it with the test.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(quiet(t))
	var running sync.WaitGroup
	running.Go(func() {
		if err := f(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 20s", what)
		}
	}
}
