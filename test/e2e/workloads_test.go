// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// template is a pod template: its label, what it is restarted after, its node by
// a selector as YAML, and its image.
const template = `{metadata: {labels: {app: %s}}, spec: {restartPolicy: %s, terminationGracePeriodSeconds: 0, ` +
	`nodeSelector: %s, containers: [{name: main, image: %q}]}}`

// workload is a kind whose spec is made of some text and a template.
func workload(kind, name, spec, template string) string {
	group := "apps/v1"
	if kind == "CronJob" {
		group = "batch/v1"
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s}\nspec: {%s}\n", group, kind, name, fmt.Sprintf(spec, template))
}

// TestWorkloads has every way that a pod comes into being on a nearly full node but
// the plainest: controllers make it, or it gets another container.
func TestWorkloads(t *testing.T) {
	p := startPair(t, "workloads")
	onFull := fmt.Sprintf("{%s: %s}", corev1.LabelHostname, p.full.Name)
	images := map[string]string{}
	for _, name := range []string{"web-new", "agent", "nightly", "debug"} {
		images[name] = p.image(t, name)
	}
	p.apply(t, workload("Deployment", "web", "replicas: 2, selector: {matchLabels: {app: web}}, template: %s",
		fmt.Sprintf(template, "web", "Always", onFull, p.image(t, "web-old"))))
	kubectl(t, "rollout", "status", "-n", p.namespace, "deployment/web", "--timeout=120s")
	p.fill(t)
	setPolicy(t, "mode: Enforce", randomPool)
	p.startHeadroom(t)
	p.askForSizes(t, images)
	before, available := p.running(t, "web"), p.available(t)

	t.Run("a CronJob: warned about when it is applied", func(t *testing.T) {
		stderr := p.apply(t, workload("CronJob", "nightly", "schedule: '* * * * *', jobTemplate: {spec: {template: %s}}",
			fmt.Sprintf(template, "nightly", "Never", onFull, images["nightly"])))
		wantOneWarning(t, stderr, `needs .*; the only eligible node has room for .*; its pods would be refused$`)
	})
	t.Run("a DaemonSet: told how many nodes can't take it, and runs on the one that can", func(t *testing.T) {
		stderr := p.apply(t, workload("DaemonSet", "agent", "selector: {matchLabels: {app: agent}}, template: %s",
			fmt.Sprintf(template, "agent", "Always", "{}", images["agent"])))
		wantOneWarning(t, stderr, `needs \S+ on a node; 1 of 2 eligible nodes cannot take that, and each gets a pod: pods would be evicted there.*; its pods would be refused instead$`)
		// The DaemonSet's controller makes no more pods after one that is refused, in the order in which it comes upon nodes: a
		// random one, which may begin with the full node many times. It waits longer each time, unless the DaemonSet changes.
		changes := 0
		eventually(t, time.Minute, "a pod runs on the empty node", func() bool {
			changes++
			kubectl(t, "annotate", "-n", p.namespace, "daemonset/agent", "--overwrite", fmt.Sprint("changes=", changes))
			return cmp.Equal([]string{p.empty.Name}, nodesOf(p.running(t, "agent")))
		})
		p.awaitRefusal(t, "DaemonSet", "agent")
		p.awaitSaid(t, "DaemonSet", "agent", "ImageStorageRefused")
	})
	t.Run("a rollout whose new image does not fit beside the old one: the old pods stay", func(t *testing.T) {
		_, stderr, err := shared.plane.Kubectl(t.Context(), "set", "image", "-n", p.namespace, "deployment/web", "main="+images["web-new"])
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		wantOneWarning(t, stderr, `needs .*; the only eligible node has room for .*; its pods would be refused$`)
		p.awaitRefusal(t, "ReplicaSet", "web-")
		p.awaitSaid(t, "Deployment", "web", "ImageStorageRefused")
	})
	t.Run("the CronJob's Job: no pod", func(t *testing.T) {
		p.awaitRefusal(t, "Job", "nightly-")
		p.awaitSaid(t, "CronJob", "nightly", "ImageStorageRefused")
	})
	t.Run("kubectl debug: refused", func(t *testing.T) {
		stderr, err := p.debug(t, before[0].Name, images["debug"])
		if err == nil || !forbidden(stderr) {
			t.Errorf("kubectl said %v %q, want a refusal by pods.headroom.dev", err, stderr)
		}
		if more := podNow(t, p.namespace, before[0].Name).Spec.EphemeralContainers; len(more) > 0 {
			t.Errorf("ephemeral containers %v", more)
		}
		t.Log(strings.TrimSpace(stderr))
	})
	t.Run("so nobody has lost anything", func(t *testing.T) {
		if diff := cmp.Diff(before, p.running(t, "web")); diff != "" {
			t.Errorf("the pods of before (-) are not those of now (+):\n%s", diff)
		}
		if taken := available - p.available(t); taken > spareBytes/4 {
			t.Errorf("the full node's disk lost %s", describeBytes(taken))
		}
		p.checkUntouched(t)
	})
	t.Run("kubectl debug in mode Warn: one warning", func(t *testing.T) {
		// What has been refused would come now, and take the room.
		kubectl(t, "delete", "-n", p.namespace, "cronjob/nightly", "daemonset/agent")
		kubectl(t, "rollout", "undo", "-n", p.namespace, "deployment/web")
		changePolicy(t, p.namespace, "mode: Warn", randomPool)
		stderr, err := p.debug(t, before[0].Name, images["debug"])
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		wantOneWarning(t, stderr, `needs \S+; its node has \S+ before pods are evicted$`)
		if more := podNow(t, p.namespace, before[0].Name).Spec.EphemeralContainers; len(more) != 1 {
			t.Errorf("ephemeral containers %v, want one", more)
		}
	})
}

// askForSizes waits until pods of the images are refused on the full node: the sizes of
// these are known then, which templates don't wait for, and so are the layers of what
// is on the node already, which Headroom asks for when it starts.
func (p *pair) askForSizes(t *testing.T, images map[string]string) {
	t.Helper()
	for name, image := range images {
		pod := podOptions{namespace: p.namespace, name: "asks-" + name, image: image, node: p.full.Name, gated: true}
		eventually(t, time.Minute, "a pod of the image "+name+" is refused", func() bool {
			stderr, err := create(t, pod)
			if err == nil {
				p.delete(t, pod.name)
			} else if !forbidden(stderr) {
				t.Fatalf("%v\n%s", err, stderr)
			}
			return err != nil
		})
	}
}

// apply returns what kubectl says besides that it has done so.
func (p *pair) apply(t *testing.T, yaml string) (stderr string) {
	t.Helper()
	_, stderr, err := shared.plane.KubectlInput(t.Context(), yaml, "apply", "-n", p.namespace, "-f", "-")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	return stderr
}

// debug puts a container with the image into a pod.
func (p *pair) debug(t *testing.T, pod, image string) (stderr string, err error) {
	t.Helper()
	_, stderr, err = shared.plane.Kubectl(t.Context(), "debug", "-n", p.namespace, pod, "--image="+image, "--attach=false", "--profile=general")
	return stderr, err
}

// runningPod is what must not change of a pod that is left alone.
type runningPod struct {
	Name, UID, Node string
	Restarts        int32
}

// running are the pods with a label whose containers are ready.
func (p *pair) running(t *testing.T, app string) []runningPod {
	t.Helper()
	list, err := shared.client.CoreV1().Pods(p.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		t.Fatal(err)
	}
	var running []runningPod
	for i := range list.Items {
		pod := &list.Items[i]
		if states := pod.Status.ContainerStatuses; len(states) == 1 && states[0].Ready {
			running = append(running, runningPod{pod.Name, string(pod.UID), pod.Spec.NodeName, states[0].RestartCount})
		}
	}
	return running
}

func nodesOf(pods []runningPod) (nodes []string) {
	for _, pod := range pods {
		nodes = append(nodes, pod.Node)
	}
	return nodes
}

// awaitRefusal waits until whatever makes pods says that Headroom refused one.
func (p *pair) awaitRefusal(t *testing.T, kind, namePrefix string) {
	t.Helper()
	p.awaitEvent(t, func(e *corev1.Event) bool {
		return e.Reason == "FailedCreate" && e.InvolvedObject.Kind == kind && strings.HasPrefix(e.InvolvedObject.Name, namePrefix) &&
			strings.Contains(e.Message, `admission webhook "pods.headroom.dev" denied the request: image storage: `)
	}, "%s %s fails to create a pod, and names Headroom", kind, namePrefix)
}

// awaitSaid waits until Headroom itself says something about an object.
func (p *pair) awaitSaid(t *testing.T, kind, name, reason string) {
	t.Helper()
	p.awaitEvent(t, func(e *corev1.Event) bool {
		return e.Source.Component == "headroom" && e.Reason == reason && e.InvolvedObject.Kind == kind && e.InvolvedObject.Name == name
	}, "Headroom says %s of %s %s", reason, kind, name)
}

func (p *pair) awaitEvent(t *testing.T, wanted func(*corev1.Event) bool, what string, args ...any) {
	t.Helper()
	eventually(t, 90*time.Second, fmt.Sprintf(what, args...), func() bool {
		events, err := shared.client.CoreV1().Events(p.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(events.Items, func(e corev1.Event) bool { return wanted(&e) })
		if at >= 0 {
			t.Log(events.Items[at].InvolvedObject.Kind, events.Items[at].Reason+":", events.Items[at].Message)
		}
		return at >= 0
	})
}

// wantOneWarning wants one warning of Headroom's with words like these.
func wantOneWarning(t *testing.T, stderr, words string) {
	t.Helper()
	got := warnings(stderr)
	if len(got) != 1 || !regexp.MustCompile("^Warning: image storage: "+words).MatchString(got[0]) {
		t.Errorf("kubectl printed %q, want one warning like %q", stderr, words)
	}
	t.Log(strings.TrimSpace(stderr))
}
