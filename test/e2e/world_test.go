// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/auditlog"
	"github.com/headroom-dev/headroom/test/serve"
)

const mib = int64(1) << 20

// startNode starts a real node that ends with the test, and that lists images.
func startNode(t *testing.T, o lab.NodeOptions) *lab.Node {
	t.Helper()
	node := startBareNode(t, o)
	warmUp(t, o.Name)
	return node
}

// startBareNode starts a node and does not wait for its list of images.
func startBareNode(t *testing.T, o lab.NodeOptions) *lab.Node {
	t.Helper()
	node, err := lab.StartNode(t.Context(), shared.plane, shared.registry, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := node.Stop()
		if err = errors.Join(err, shared.client.CoreV1().Nodes().Delete(context.Background(), o.Name, metav1.DeleteOptions{})); err != nil {
			t.Error(err)
		}
	})
	return node
}

// warmUp runs the smallest pod there is on each node and waits until its image is
// listed. A kubelet without any image sends no list, which is also what one sends
// that can't list; and it lists every 30 seconds. Until then nobody can tell what
// is not on the node, and Headroom refuses nothing.
func warmUp(t *testing.T, nodes ...string) {
	t.Helper()
	pods := make([]podOptions, len(nodes))
	for i, node := range nodes {
		pods[i] = podOptions{namespace: "default", name: "warmup-" + node, image: lab.RegistryHost + "/lab/pause:1", node: node}
		mustRun(t, pods[i])
	}
	for i, node := range nodes {
		eventually(t, time.Minute, "the node lists its images", func() bool { return len(nodeNow(t, node).Status.Images) > 0 })
		kubectl(t, "delete", "pod", "-n", pods[i].namespace, pods[i].name, "--wait=true")
	}
}

// push makes up an image of random bytes, which the runtime keeps twice:
// compressed, which is as large, and unpacked.
func push(t *testing.T, name string, megabytes int64, seed uint64) string {
	t.Helper()
	return pushContent(t, name, megabytes, lab.Random, seed)
}

func pushContent(t *testing.T, name string, megabytes int64, content lab.Content, seed uint64) string {
	t.Helper()
	_, err := shared.registry.Push(t.Context(), lab.Image{Name: name, Layers: []lab.Layer{{Bytes: megabytes * mib, Content: content, Seed: seed}}})
	if err != nil {
		t.Fatal(err)
	}
	return lab.RegistryHost + "/" + name
}

// namespace makes a namespace that goes away with the test, pods first.
func namespace(t *testing.T, name string) string {
	t.Helper()
	kubectl(t, "create", "namespace", name)
	t.Cleanup(func() {
		ctx := context.Background()
		if t.Failed() {
			described, _, _ := shared.plane.Kubectl(ctx, "describe", "pods", "-n", name) // only for the log
			t.Logf("pods of namespace %s:\n%s", name, described)
		}
		// what is left ends with the control plane
		_, _, _ = shared.plane.Kubectl(ctx, "delete", "pods", "--all", "-n", name, "--force", "--grace-period=0", "--wait=true", "--timeout=60s")
		_, _, _ = shared.plane.Kubectl(ctx, "delete", "namespace", name, "--wait=false") // as above
	})
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := shared.client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		t.Fatal("the namespace got no ServiceAccount:", err)
	}
	return name
}

// setPolicy writes the policy. Every image here is random bytes kept twice, so
// the pool may say so.
func setPolicy(t *testing.T, lines ...string) {
	t.Helper()
	text := "apiVersion: headroom.dev/v1alpha1\nkind: Policy\n" + strings.Join(lines, "\n") + "\n"
	applyPolicy(t, text)
}

const randomPool = `nodePools: [{name: lab, selector: {}, elastic: false, diskFactor: {low: 1.95, likely: 2, high: 2.1}}]`

func applyPolicy(t *testing.T, text string) {
	t.Helper()
	body, err := json.Marshal(corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: "headroom-policy", Namespace: "headroom-system"},
		Data:       map[string]string{"policy.yaml": text},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), string(body), "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
}

// changePolicy writes another policy than is in force, and waits until it is.
func changePolicy(t *testing.T, ns string, lines ...string) {
	t.Helper()
	before := policyInForce(t, ns)
	setPolicy(t, lines...)
	eventually(t, 5*time.Second, "another policy is in force", func() bool { return policyInForce(t, ns) != before })
}

// policyInForce is the mode for pods of a namespace and the version of the policy,
// as the annotations of a harmless dry run tell.
func policyInForce(t *testing.T, ns string) string {
	t.Helper()
	probe := podOptions{namespace: ns, name: "probe", image: lab.RegistryHost + "/lab/pause:1", gated: true}
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), probe.json(t), "create", "--dry-run=server", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	return annotationsOf(t, ns, "probe")["policy"]
}

// startHeadroom runs `headroom serve` with the rights of its ServiceAccount and
// checks kubelets' certificates. It waits until every node has been measured.
func startHeadroom(t *testing.T, args ...string) *serve.Process {
	t.Helper()
	p := startHeadroomUnmeasured(t, args...)
	eventually(t, time.Minute, "every node is measured", func() bool {
		nodes, err := shared.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		return err == nil && int(p.Metric(t, "headroom_ledger_nodes", "tier=Measured")) == len(nodes.Items)
	})
	awaitQuestions(t, p)
	return p
}

// awaitQuestions waits until the API server has taken in that Headroom is to be asked.
func awaitQuestions(t *testing.T, p *serve.Process) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "asked-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.lab/asked", ImagePullPolicy: corev1.PullNever}}},
	}
	eventually(t, 30*time.Second, "the API server asks", func() bool {
		_, err := shared.client.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && p.Metric(t, "headroom_admission_decisions_total") > 0
	})
}

func startHeadroomUnmeasured(t *testing.T, args ...string) *serve.Process {
	t.Helper()
	return serve.Start(t, serve.Options{
		Kubeconfig: shared.serveKubeconfig,
		Args: append([]string{
			"--kubelet-certificate-authority", shared.plane.CAFile,
			"--registry-endpoint", lab.RegistryHost + "=http://" + shared.registry.Address,
			"--kubelet-interval", "10s", "--kubelet-pending-interval", "5s",
		}, args...),
	})
}

// awaitSample waits until Headroom has measured a node after now. A sample from the middle of the second of two pulls leaves open
// how much of it was the first one's, and what is open refuses nobody. TestTwoPodsBackToBack is about pods that come so soon.
func awaitSample(t *testing.T, headroom *serve.Process, node string) {
	t.Helper()
	began := time.Now()
	eventually(t, 30*time.Second, "a sample of node "+node, func() bool {
		age := headroom.Metric(t, "headroom_node_image_sample_age_seconds", "node="+node)
		return age > 0 && time.Since(began).Seconds() > age
	})
}

// podOptions are the parts of a pod that tests vary.
type podOptions struct {
	namespace, name, image string
	node                   string // by nodeSelector
	gated                  bool   // never scheduled: created, judged, and no more
	priorityClass          string
	milliCPU               int64 // requested
}

func (o podOptions) json(t *testing.T) string {
	t.Helper()
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: o.name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(0)),
			PriorityClassName:             o.priorityClass,
			Containers:                    []corev1.Container{{Name: "main", Image: o.image, ImagePullPolicy: corev1.PullIfNotPresent}},
		},
	}
	if o.node != "" {
		pod.Spec.NodeSelector = map[string]string{corev1.LabelHostname: o.node}
	}
	if o.milliCPU != 0 {
		pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(o.milliCPU, resource.DecimalSI)}
	}
	if o.gated {
		pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "headroom.dev/test"}}
	}
	body, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// create applies a pod by kubectl and returns what a user sees.
func create(t *testing.T, o podOptions) (stderr string, err error) {
	t.Helper()
	_, stderr, err = shared.plane.KubectlInput(t.Context(), o.json(t), "create", "-f", "-")
	return stderr, err
}

// mustRun creates a pod, which must not be refused, and waits until it is ready.
func mustRun(t *testing.T, o podOptions) {
	t.Helper()
	if stderr, err := create(t, o); err != nil {
		t.Fatalf("create %s: %v\n%s", o.name, err, stderr)
	}
	waitReady(t, o)
}

func waitReady(t *testing.T, o podOptions) {
	t.Helper()
	_, stderr, err := shared.plane.Kubectl(t.Context(), "wait", "-n", o.namespace, "pod/"+o.name, "--for=condition=Ready", "--timeout=180s")
	if err != nil {
		described, _, _ := shared.plane.Kubectl(t.Context(), "describe", "pod", "-n", o.namespace, o.name) // only for the message
		t.Fatalf("%s does not run: %v\n%s\n%s", o.name, err, stderr, described)
	}
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, stderr, err := shared.plane.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return out
}

func podNow(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	pod, err := shared.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// evictionOf is what the kubelet said when it evicted a pod, "" if it did not.
// The pod's phase does not tell: one that ends in time counts as Succeeded.
func evictionOf(t *testing.T, namespace, name string) string {
	t.Helper()
	events, err := shared.client.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{
		FieldSelector: "reason=Evicted,involvedObject.name=" + name,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events.Items {
		return events.Items[i].Message
	}
	return ""
}

func nodeNow(t *testing.T, name string) *corev1.Node {
	t.Helper()
	node, err := shared.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func underPressure(t *testing.T, node string) bool {
	t.Helper()
	for _, condition := range nodeNow(t, node).Status.Conditions {
		if condition.Type == corev1.NodeDiskPressure {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// filler is the file that fillDisk makes.
func filler(node *lab.Node) string { return filepath.Join(node.ImageDir, "filled-in") }

// fillDisk takes bytes off a node's image disk at once.
func fillDisk(t *testing.T, node *lab.Node, bytes int64) {
	t.Helper()
	file, err := os.Create(filler(node))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Fallocate(int(file.Fd()), 0, 0, bytes), file.Close()); err != nil {
		t.Fatalf("fill %d bytes: %v", bytes, err)
	}
}

// releaseDisk gives them back.
func releaseDisk(t *testing.T, node *lab.Node) {
	t.Helper()
	if err := os.Remove(filler(node)); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, timeout time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", timeout, what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// annotationsOf is what the webhook wrote about a pod's creation.
func annotationsOf(t *testing.T, namespace, name string) map[string]string {
	t.Helper()
	return auditlog.PodAnnotations(t, shared.plane.AuditLog, namespace, name)
}

// warnings are the lines that kubectl prints for warnings.
func warnings(stderr string) []string {
	var all []string
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "Warning:") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func forbidden(stderr string) bool {
	return strings.Contains(stderr, "Error from server (Forbidden)") &&
		strings.Contains(stderr, `admission webhook "pods.headroom.dev" denied the request: image storage: `)
}

func describeBytes(n int64) string { return fmt.Sprintf("%d MiB", n/mib) }
