// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/simnode"
)

// matrixRow is one request, and what becomes of it in each mode.
type matrixRow struct {
	request
	// webhook is which one is asked: "pods", "workloads", or "" where none is.
	webhook string
	// exempt is why it is not judged, in any mode; verdict what is noted otherwise.
	exempt, verdict string
	// warn is what is said in mode Warn and enforce in mode Enforce, "" for nothing.
	warn, enforce string
	// undecided is set where nobody knows what the pods are like.
	undecided bool
	// invalid is what the API server itself says, in any mode, where it does not take the request.
	invalid string
}

const (
	toldWarning  = "warning: " + warnedSentence
	toldRefusal  = "refused: " + enforced
	toldTemplate = "warning: " + enforced + "; its pods would be refused"

	toldWarningThere = "warning: image storage: needs 7Gi; its node has 6.5Gi before pods are evicted"
	toldRefusalThere = "refused: image storage: needs 7Gi; its node has room for 6.5Gi before pods are evicted"

	toldDaemons        = "warning: image storage: needs 7Gi on a node; none of 2 eligible nodes can take that: pods would be evicted"
	toldDaemonsRefused = toldDaemons + "; its pods would be refused instead"
)

// bigPod is what becomes of a pod whose image no node has room for.
func bigPod(r request) matrixRow {
	return matrixRow{request: r, webhook: "pods", verdict: "EvictsPods", warn: toldWarning, enforce: toldRefusal}
}

// bigPodThere is what becomes of it where its node is known.
func bigPodThere(r request) matrixRow {
	return matrixRow{request: r, webhook: "pods", verdict: "EvictsPods", warn: toldWarningThere, enforce: toldRefusalThere}
}

// bigTemplate is what becomes of its template.
func bigTemplate(r request) matrixRow {
	if r.resource == "daemonsets.apps" {
		return matrixRow{request: r, webhook: "workloads", verdict: "EvictsPods", warn: toldDaemons, enforce: toldDaemonsRefused}
	}
	return matrixRow{request: r, webhook: "workloads", verdict: "EvictsPods", warn: toldWarning, enforce: toldTemplate}
}

func fitting(webhook string, r request) matrixRow {
	return matrixRow{request: r, webhook: webhook, verdict: "Fits"}
}

func podRows(t *testing.T) map[string]matrixRow {
	const big, small = "example.com/big:1", "example.com/small:1"
	made := func(image, metadata, spec string) request {
		return request{resource: "pods", create: podYAML("made", image, metadata, spec)}
	}
	changed := func(name, patch string) request { return request{resource: "pods", name: name, patch: patch} }
	image := func(image string) string {
		return fmt.Sprintf(`{"spec":{"containers":[{"name":"main","image":%q}]}}`, image)
	}
	debugged := func(image string) request {
		return request{resource: "pods", subresource: "ephemeralcontainers", name: "placed", patch: fmt.Sprintf(`{"spec":{"ephemeralContainers":[{"name":"debug","image":%q}]}}`, image)}
	}
	const binding = "{apiVersion: v1, kind: Binding, metadata: {name: waiting}, target: {apiVersion: v1, kind: Node, name: sim-1}}"
	const owner = ", ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: x, uid: x, controller: true}]"
	node, err := shared.client.CoreV1().Nodes().Get(t.Context(), "sim-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mirror := request{resource: "pods", node: "sim-1", create: podYAML("made", big,
		fmt.Sprintf(", annotations: {kubernetes.io/config.mirror: x}, ownerReferences: [{apiVersion: v1, kind: Node, name: sim-1, uid: %s, controller: true}]", node.UID), ", nodeName: sim-1")}
	byController := bigPod(made(big, owner, ""))
	byController.warn = ""
	return map[string]matrixRow{
		"a pod is made that no node has room for":                       bigPod(made(big, "", "")),
		"a pod is made that fits":                                       fitting("pods", made(small, "", "")),
		"a pod is made by a controller, which would only log a warning": byController,
		"a pod is made whose node is chosen":                            bigPodThere(made(big, "", ", nodeName: sim-1")),
		"a pod is made whose node has its image":                        fitting("pods", made(simnode.PauseImage, "", ", nodeName: sim-1")),
		"a pod is made behind a gate":                                   bigPod(made(big, "", ", schedulingGates: [{name: example.com/a}]")),
		"a pod of a critical class is made":                             {request: made(big, "", ", priorityClassName: system-node-critical"), webhook: "pods", exempt: "priorityClass"},
		"a mirror pod is made by its kubelet":                           {request: mirror, webhook: "pods", exempt: "mirror"},
		"a mirror pod is made by an admin":                              {request: made(big, `, annotations: {kubernetes.io/config.mirror: x}`, ", nodeName: sim-1"), webhook: "pods", exempt: "mirror"},
		"an image changes on a node without room for the new one":       bigPodThere(changed("placed", image(big))),
		"an image changes on a node with room for the new one":          fitting("pods", changed("placed", image(small))),
		"an image changes before a node is chosen":                      bigPod(changed("gated", image(big))),
		"the last gate of a pod is lifted":                              bigPod(changed("big-gated", `{"spec":{"schedulingGates":null}}`)),
		"a pod's node can't be changed by an update":                    {request: changed("gated", `{"spec":{"nodeName":"sim-1"}}`), invalid: "pod updates may not change fields other than"},
		"a pod is debugged with an image that its node has no room for": bigPodThere(debugged(big)),
		"a pod is debugged with a small image":                          fitting("pods", debugged(small)),
		"a pod gets a label":                                            {request: changed("placed", `{"metadata":{"labels":{"a":"b"}}}`)},
		"a pod gets a deadline":                                         {request: changed("placed", `{"spec":{"activeDeadlineSeconds":600}}`)},
		"a pod's status changes":                                        {request: request{resource: "pods", subresource: "status", name: "placed", patch: `{"status":{"message":"x"}}`}},
		"a pod is bound":                                                fitting("bindings", request{resource: "pods", subresource: "binding", create: binding}),
		"a pod is bound in the way of long ago":                         fitting("bindings", request{resource: "bindings", create: binding}),
		"a pod is evicted": {request: request{
			resource: "pods", subresource: "eviction", create: "{apiVersion: policy/v1, kind: Eviction, metadata: {name: placed}}",
		}},
	}
}

func workloadRows() map[string]matrixRow {
	rows := map[string]matrixRow{}
	const big, small = "example.com/big:1", "example.com/small:1"
	for resource, kind := range kinds {
		within := `{"spec":{"template":%s}}`
		switch resource {
		case "cronjobs.batch":
			within = `{"spec":{"jobTemplate":{"spec":{"template":%s}}}}`
		case "podtemplates":
			within = `{"template":%s}`
		}
		on := func(name, patch string) request { return request{resource: resource, name: name, patch: patch} }
		template := func(name, spec string) request { return on(name, fmt.Sprintf(within, `{"spec":`+spec+`}`)) }

		rows[kind+": made, of an image that no node has room for"] = bigTemplate(request{resource: resource, create: workloadOf(resource, "made", big, 3)})
		rows[kind+": made, of a small image"] = fitting("workloads", request{resource: resource, create: workloadOf(resource, "made", small, 3)})
		rows[kind+": a label of its own"] = matrixRow{request: on("used", `{"metadata":{"labels":{"a":"b"}}}`)}
		if resource != "jobs.batch" { // its template can't change
			rows[kind+": another image that no node has room for"] = bigTemplate(template("used", `{"containers":[{"name":"main","image":"`+big+`"}]}`))
			rows[kind+": another small image"] = fitting("workloads", template("used", `{"containers":[{"name":"main","image":"`+small+`"}]}`))
			rows[kind+": a place that no node is"] = matrixRow{request: template("used", `{"nodeSelector":{"disk":"none"}}`), webhook: "workloads", verdict: "Unknown"}
			unchanged := matrixRow{request: on("used", fmt.Sprintf(within, `{"metadata":{"annotations":{"a":"b"}}}`))}
			if kind == "Rollout" { // of which the API server does not know what matters
				unchanged.webhook, unchanged.exempt = "workloads", "unchanged"
			}
			rows[kind+": an annotation of the template"] = unchanged
		}
		switch resource {
		case "deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers", "rollouts.example.com":
			rows[kind+": more replicas of an image that no node has room for"] = bigTemplate(on("idle", `{"spec":{"replicas":3}}`))
			rows[kind+": more replicas of an image that all nodes have"] = fitting("workloads", on("used", `{"spec":{"replicas":3}}`))
		case "jobs.batch", "cronjobs.batch":
			rows[kind+": no longer suspended"] = bigTemplate(on("idle", `{"spec":{"suspend":false}}`))
		}
		switch resource {
		case "deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers":
			scale := func(name string, replicas int) request {
				return request{resource: resource, subresource: "scale", name: name, patch: fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)}
			}
			rows[kind+": scaled up, of an image that no node has room for"] = bigTemplate(scale("big", 3))
			rows[kind+": scaled up, of an image that all nodes have"] = fitting("workloads", scale("used", 3))
			rows[kind+": scaled up from nothing"] = matrixRow{request: scale("idle", 3), webhook: "workloads", undecided: true}
			rows[kind+": scaled down"] = matrixRow{request: scale("big", 0)}
		}
		if resource == "deployments.apps" {
			rows[kind+": its status changes"] = matrixRow{request: request{resource: resource, subresource: "status", name: "used", patch: `{"status":{"observedGeneration":9}}`}}
		}
	}
	return rows
}
