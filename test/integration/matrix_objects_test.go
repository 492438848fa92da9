// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"

	"github.com/headroom-dev/headroom/test/simnode"
)

// kinds are what makes pods from a template, by their resource.
var kinds = map[string]string{
	"deployments.apps": "Deployment", "statefulsets.apps": "StatefulSet", "daemonsets.apps": "DaemonSet", "replicasets.apps": "ReplicaSet",
	"replicationcontrollers": "ReplicationController", "jobs.batch": "Job", "cronjobs.batch": "CronJob", "podtemplates": "PodTemplate",
	"rollouts.example.com": "Rollout",
}

// workloadOf is an object of the kind in YAML. replicas is how many pods it wants at a time, as far as its kind can say: with 0 a
// Job and a CronJob are suspended. Its pods are held by a gate, so that the figures stay what they are.
func workloadOf(resource, name, image string, replicas int) string {
	labels := "{app: " + kinds[resource] + "-" + name + "}"
	template := func(restart string) string {
		return fmt.Sprintf(`{metadata: {labels: %s}, spec: {%sschedulingGates: [{name: headroom.dev/test}], containers: [{name: main, image: "%s"}]}}`, labels, restart, image)
	}
	var body string
	switch resource {
	case "podtemplates":
		body = "template: " + template("")
	case "daemonsets.apps":
		body = fmt.Sprintf("spec: {selector: {matchLabels: %s}, template: %s}", labels, template(""))
	case "jobs.batch":
		body = fmt.Sprintf("spec: {parallelism: %d, completions: 3, suspend: %v, template: %s}", max(replicas, 1), replicas == 0, template("restartPolicy: Never, "))
	case "cronjobs.batch":
		body = fmt.Sprintf("spec: {schedule: '0 0 31 2 *', suspend: %v, jobTemplate: {spec: {parallelism: %d, template: %s}}}",
			replicas == 0, max(replicas, 1), template("restartPolicy: Never, "))
	case "replicationcontrollers":
		body = fmt.Sprintf("spec: {replicas: %d, selector: %s, template: %s}", replicas, labels, template(""))
	default:
		body = fmt.Sprintf("spec: {replicas: %d, selector: {matchLabels: %s}, template: %s}", replicas, labels, template(""))
	}
	group := ""
	if _, of, found := strings.Cut(resource, "."); found {
		group = of + "/"
	}
	return fmt.Sprintf("{apiVersion: %sv1, kind: %s, metadata: {name: %s}, %s}", group, kinds[resource], name, body)
}

// podYAML is a pod with more fields of metadata and spec.
func podYAML(name, image, metadata, spec string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s%s}, spec: {containers: [{name: main, image: "%s"}]%s}}`, name, metadata, image, spec)
}

// matrixObjects are what is there in each namespace before anything is asked: of each kind one that runs an image that every
// node has, and one that wants no pods, of an image that no node has room for.
func matrixObjects() []string {
	all := []string{
		podYAML("gated", simnode.PauseImage, "", ", schedulingGates: [{name: headroom.dev/test}]"),
		podYAML("big-gated", "example.com/big:1", "", ", schedulingGates: [{name: headroom.dev/test}]"),
		podYAML("placed", simnode.PauseImage, "", ", nodeName: sim-1"),
		podYAML("waiting", simnode.PauseImage, "", ", schedulerName: nobody"),
	}
	for resource := range kinds {
		switch resource {
		case "deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers":
			all = append(all, workloadOf(resource, "big", "example.com/big:1", 1))
		}
		all = append(all, workloadOf(resource, "used", simnode.PauseImage, 1))
		if resource != "daemonsets.apps" && resource != "podtemplates" {
			all = append(all, workloadOf(resource, "idle", "example.com/big:1", 0))
		}
	}
	return all
}
