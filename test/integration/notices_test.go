// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/serve"
)

// heldPods is a pod template for the image; the gate keeps its pods from being scheduled.
func heldPods(image string) string {
	return `{metadata: {labels: {app: web}}, spec: {restartPolicy: RESTART, schedulingGates: [{name: headroom.dev/test}], ` +
		`containers: [{name: main, image: "` + image + `"}]}}`
}

func heldDeployment(replicas int, image string) string {
	return fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: %d, selector: {matchLabels: {app: web}}, template: %s}}",
		replicas, strings.ReplaceAll(heldPods(image), "RESTART", "Always"))
}

// heldCronJob has no run of its own soon.
func heldCronJob(image string) string {
	return fmt.Sprintf("{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly}, spec: {schedule: '0 0 31 2 *', jobTemplate: {spec: {template: %s}}}}",
		strings.ReplaceAll(heldPods(image), "RESTART", "Never"))
}

func create(t *testing.T, namespace, text string) {
	t.Helper()
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), text, "create", "-n", namespace, "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
}

func runNow(t *testing.T, namespace, job string) {
	t.Helper()
	kubectl(t, "create", "job", "-n", namespace, job, "--from=cronjob/nightly")
}

// startSecond runs another Headroom and has the API server ask both of each pod, as no configuration of one replica would.
func startSecond(t *testing.T, first *serve.Process) *serve.Process {
	t.Helper()
	second := startHeadroom(t)
	configurations := shared.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	eventually(t, 20*time.Second, "the second registers", func() bool {
		c, err := configurations.Get(t.Context(), configurationName, metav1.GetOptions{})
		return err == nil && strings.HasPrefix(*c.Webhooks[0].ClientConfig.URL, second.WebhookURL)
	})
	c, err := configurations.Get(t.Context(), configurationName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.ObjectMeta = metav1.ObjectMeta{Name: "headroom-first"}
	for i := range c.Webhooks {
		url := strings.Replace(*c.Webhooks[i].ClientConfig.URL, second.WebhookURL, first.WebhookURL, 1)
		c.Webhooks[i].ClientConfig.URL = &url
	}
	if _, err := configurations.Create(t.Context(), c, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := configurations.Delete(context.Background(), c.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	awaitWebhook(t, first)
	awaitWebhook(t, second)
	return second
}

// saidIn are the Events of Headroom in a namespace, a line for each.
func saidIn(t *testing.T, namespace string) (lines []string) {
	t.Helper()
	events, err := shared.client.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "source=headroom"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events.Items {
		e := &events.Items[i]
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message))
	}
	slices.Sort(lines)
	return lines
}

// sent are the answers to Headroom's attempts to write an Event in a namespace.
func sent(t *testing.T, namespace string) map[int]int {
	t.Helper()
	codes := map[int]int{}
	for _, event := range auditEvents(t) {
		if ref := event.ObjectRef; event.User.Username == headroomUser && event.Verb == "create" && ref.Resource == "events" && ref.Namespace == namespace {
			codes[event.ResponseStatus.Code]++
		}
	}
	return codes
}

// warnedSentence is that of a pod that needs 7Gi.
const warnedSentence = "image storage: needs 7Gi on a node; none of 2 eligible nodes has that much before pods are evicted (most: 6.5Gi)"

// TestOwnersAreToldOnce: whatever makes the pods, however many there are, and with two replicas of Headroom that are both asked
// about each, people find one Event, on the object that they know.
func TestOwnersAreToldOnce(t *testing.T) {
	setPolicy(t, "mode: Warn")
	first := startHeadroom(t)
	second := startSecond(t, first)
	both := []*serve.Process{first, second}
	cases := map[string]struct {
		mode    string
		made    func(t *testing.T, namespace string)
		action  string
		notices float64 // that each of the two has to have handled
		want    []string
	}{
		"forty pods of a Deployment": {
			"Warn", func(t *testing.T, ns string) { create(t, ns, heldDeployment(40, "example.com/big:1")) },
			"Warn", 40,
			[]string{"Deployment web ImageStorageWarning: " + warnedSentence},
		},
		"a Deployment whose pods are refused, again and again": {
			"Enforce", func(t *testing.T, ns string) { create(t, ns, heldDeployment(40, "example.com/big:1")) },
			"Deny", 5,
			[]string{
				"Deployment web ImageStorageRefused: " + enforced,
				"Deployment web ImageStorageWarning: " + enforced + "; its pods would be refused", // whoever applied it was warned
			},
		},
		"two runs of a CronJob": {
			"Warn", func(t *testing.T, ns string) {
				create(t, ns, heldCronJob("example.com/big:1"))
				runNow(t, ns, "one")
				runNow(t, ns, "two")
			},
			"Warn", 2,
			[]string{"CronJob nightly ImageStorageWarning: " + warnedSentence},
		},
		"a bare pod": {
			"Warn", func(t *testing.T, ns string) {
				pod := podOf("app", "example.com/big:1")
				pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "headroom.dev/test"}}
				create(t, ns, asJSON(t, pod))
			},
			"Warn", 1,
			[]string{"Pod app ImageStorageWarning: " + warnedSentence},
		},
		"a bare pod that is refused: kubectl has said it, and the log has it": {
			"Enforce", func(t *testing.T, ns string) {
				_, stderr, err := shared.plane.KubectlInput(t.Context(), asJSON(t, podOf("app", "example.com/big:1")), "create", "-n", ns, "-f", "-")
				if err == nil || !strings.Contains(stderr, enforced) {
					t.Errorf("kubectl said %v %q", err, stderr)
				}
			},
			"Deny", 1, nil,
		},
	}
	i := 0
	for name, tc := range cases {
		i++
		ns := fmt.Sprintf("told-%d", i)
		t.Run(name, func(t *testing.T) {
			setPolicy(t, "mode: "+tc.mode)
			namespace(t, ns)
			before := make([]float64, len(both))
			for i, p := range both {
				awaitMode(t, p, tc.mode)
				before[i] = p.Metric(t, "headroom_notices_total", "action="+tc.action)
			}
			tc.made(t, ns)
			for i, p := range both {
				eventually(t, time.Minute, "a replica has heard of every pod", func() bool {
					return p.Metric(t, "headroom_notices_total", "action="+tc.action)-before[i] >= tc.notices
				})
				said := map[string]string{"Warn": "Warned about image storage", "Deny": "Refused over image storage"}[tc.action]
				logged(t, p.Log, "level=INFO", said, " namespace="+ns+" ", "image storage: needs 7Gi")
			}
			want := map[int]int{201: len(tc.want), 409: len(tc.want)}
			if len(tc.want) == 0 {
				want = map[int]int{}
			}
			eventually(t, 20*time.Second, "both have sent their Event", func() bool { return cmp.Equal(want, sent(t, ns)) })
			if diff := cmp.Diff(tc.want, saidIn(t, ns)); diff != "" {
				t.Errorf("Events (-want +got):\n%s", diff)
			}
		})
	}
}

// warnedOwner makes pods that are warned about, and waits until that is said on an object of a kind, for lack of a right.
func warnedOwner(t *testing.T, p *serve.Process, kind, missing string, made func(namespace string)) {
	t.Helper()
	p.WaitReady(t, 30*time.Second)
	awaitWebhook(t, p)
	ns := "owner-" + strings.ToLower(kind)
	namespace(t, ns)
	made(ns)
	eventually(t, 20*time.Second, "an Event on the "+kind, func() bool {
		return slices.ContainsFunc(saidIn(t, ns), func(line string) bool { return strings.HasPrefix(line, kind+" ") })
	})
	logged(t, p.Log, "Owner not found", missing, ns)
}
