// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// owned is a set of fields in the form of metav1.FieldsV1.
type owned map[string]any

func (o owned) json() *metav1.FieldsV1 {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("maps of maps can't be JSON: %v", err)) // they always can
	}
	return metav1.NewFieldsV1(string(raw))
}

// of is a set of fields below which nothing is told apart.
func of(names ...string) owned {
	o := owned{}
	for _, name := range names {
		o["f:"+name] = owned{}
	}
	return o
}

func (o owned) with(name string, below owned) owned {
	o[name] = below
	return o
}

func managed(manager, subresource string, at metav1.Time, fields owned) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &at,
		FieldsType: "FieldsV1", FieldsV1: fields.json(), Subresource: subresource,
	}
}

// managedFields tell who has written which of a pod's fields.
func (t *template) managedFields(phase Phase, v values) []metav1.ManagedFieldsEntry {
	probes := of("failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds").with("f:httpGet", of("path", "port", "scheme"))
	containers, statuses := owned{}, owned{}
	for k := t.initImages; k < len(t.images); k++ {
		name := []string{"app", "proxy", "agent"}[k%3]
		variables := owned{".": owned{}}
		for n := range environment {
			variables[fmt.Sprintf(`k:{"name":%q}`, variable(n))] = of("name", "value").with(".", owned{})
		}
		containers[fmt.Sprintf(`k:{"name":%q}`, name)] = of("args", "image", "imagePullPolicy", "name", "terminationMessagePath", "terminationMessagePolicy").
			with(".", owned{}).with("f:env", variables).with("f:livenessProbe", probes).with("f:readinessProbe", probes).
			with("f:resources", of("limits", "requests")).with("f:securityContext", of("allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"))
		statuses[fmt.Sprintf(`k:{"name":%q}`, name)] = of("containerID", "image", "imageID", "ready", "started", "state")
	}
	spec := of("dnsPolicy", "enableServiceLinks", "restartPolicy", "schedulerName", "securityContext", "serviceAccount", "serviceAccountName", "terminationGracePeriodSeconds", "tolerations").
		with("f:containers", containers).with("f:volumes", owned{`k:{"name":"config"}`: of("configMap", "name"), `k:{"name":"scratch"}`: of("emptyDir", "name")})
	meta := of("generateName").with("f:labels", of("app.kubernetes.io/name", "app.kubernetes.io/part-of", "pod-template-hash")).
		with("f:ownerReferences", owned{".": owned{}, fmt.Sprintf(`k:{"uid":%q}`, t.ownerUID): owned{}})
	entries := []metav1.ManagedFieldsEntry{managed("kube-controller-manager", "", v.time(created), owned{"f:metadata": meta, "f:spec": spec})}
	if phase == Running || phase == Deleting {
		status := of("hostIP", "hostIPs", "phase", "podIP", "podIPs", "startTime").with("f:containerStatuses", statuses)
		entries = append(entries, managed("kubelet", "status", v.time(started), owned{"f:status": status}))
	}
	return entries
}
