// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/simnode"
)

// terminalCommands are what people type. What would get pods is a dry run; kubectl debug has none, and nodes of its own.
var terminalCommands = []string{
	"apply -f testdata/terminal.yaml",
	"apply -f testdata/terminal.yaml",
	"scale deployment/web --replicas=4",
	"scale deployment/held --replicas=3",
	"scale deployment/held --replicas=2",
	"scale deployment/held --replicas=3 --dry-run=server",
	"rollout restart deployment/web",
	"annotate deployment/web team=a",
	"set image deployment/web main=example.com/huge:1",
	"set image deployment/web main=example.com/small:1",
	"set image daemonset/agent main=example.com/huge:1",
	"set image pod/placed main=example.com/big:1 --dry-run=server",
	"patch cronjob nightly --type=merge -p {\"spec\":{\"jobTemplate\":{\"spec\":{\"parallelism\":5}}}}",
	"run app --image=example.com/big:1 --dry-run=server",
	"run app --image=example.com/small:1 --dry-run=server",
	"create deployment app --image=example.com/big:1 --replicas=3 --dry-run=server",
	"create job app --image=example.com/big:1 --dry-run=server",
	"create job app --from=cronjob/nightly --dry-run=server",
	"create cronjob app --image=example.com/big:1 --schedule=@daily --dry-run=server",
	"debug placed --image=example.com/huge:2 --container=debugger --profile=general",
	"debug node/terminal-2 --image=example.com/huge:2 --profile=general",
}

var madeUp = regexp.MustCompile(`(node-debugger-terminal-2)-[a-z0-9]{5}`)

// TestWhatTerminalsShow is word for word what kubectl prints, and how it ends, where Headroom warns and where it refuses.
func TestWhatTerminalsShow(t *testing.T) {
	for _, mode := range []string{"Warn", "Enforce"} {
		t.Run(mode, func(t *testing.T) {
			quiet(t)
			setPolicy(t, "mode: "+mode)
			for _, name := range []string{"terminal-1", "terminal-2"} {
				startNode(t, simnode.NodeSpec{Name: name, Config: tenGi(), Taints: []corev1.Taint{{Key: "test", Value: "terminal", Effect: corev1.TaintEffectNoSchedule}}})
			}
			ns := "terminal-" + strings.ToLower(mode)
			namespace(t, ns)
			// What has a pod already, of an image that none could be made of later.
			create(t, ns, workloadOf("deployments.apps", "held", "example.com/big:1", 1))
			eventually(t, 10*time.Second, "its pod is there", func() bool {
				pods, err := shared.client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
				return err == nil && len(pods.Items) == 1
			})
			p := startHeadroom(t)
			awaitWebhook(t, p)
			create(t, ns, podYAML("placed", simnode.PauseImage, "", ", nodeName: terminal-1"))
			kubectl(t, "wait", "pod/placed", "-n", ns, "--for=condition=Ready", "--timeout=30s")
			var shown strings.Builder
			for _, command := range terminalCommands {
				shown.WriteString("$ kubectl " + command + "\n" + terminal(t, ns, command) + "\n")
			}
			golden(t, "terminal-"+strings.ToLower(mode)+".txt", madeUp.ReplaceAllString(shown.String(), "$1-xxxxx"))
		})
	}
}

// terminal returns what kubectl writes to both its outputs, in the order in which it does.
func terminal(t *testing.T, namespace, command string) string {
	t.Helper()
	args := append(strings.Fields(command), "--namespace="+namespace)
	cmd := exec.CommandContext(t.Context(), filepath.Join(shared.plane.BinDir, "kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.plane.Kubeconfig)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out) + "(" + err.Error() + ")\n"
	}
	return string(out)
}
