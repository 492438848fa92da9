// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// The matchConditions keep reviews that could not matter from being sent at all. They are CEL, evaluated by the API server,
// and each has to be total: with failurePolicy Ignore, one that ends in an error keeps the webhook from being asked. So every
// field that may be missing is an optional one (?), and nothing is taken for a list or a map that need not be one.
//
// An answer "send" that was not needed costs a review; the handlers look again at what has changed.

// notByANode keeps a node's own requests away, but for the creation of mirror pods: that is all a kubelet may create, and
// they are counted.
var notByANode = condition("not-by-a-node",
	`request.operation == 'CREATE' || !('system:nodes' in request.userInfo.?groups.orValue([]))`)

// podChangesImagesOrNode is true for updates that change what a pod pulls or where: its images, its node, or that it may be
// scheduled from now on. What else is of interest of a pod can't change (pull policies, priority class), can only be narrowed
// behind a gate, or matters when it is made only (the labels, by which exceptions find it).
var podChangesImagesOrNode = condition("changes-images-or-node",
	`request.operation != 'UPDATE' || [[object.?spec.orValue({}), oldObject.?spec.orValue({})]].exists(s,`,
	`['initContainers', 'containers', 'ephemeralContainers'].exists(f,`,
	`s[0][?f].orValue([]).map(c, c.?image) != s[1][?f].orValue([]).map(c, c.?image))`,
	`|| s[0].?volumes.orValue([]).map(v, v.?image.?reference) != s[1].?volumes.orValue([]).map(v, v.?image.?reference)`,
	`|| s[0].?nodeName != s[1].?nodeName`,
	`|| (s[0].?schedulingGates.orValue([]).size() == 0 && s[1].?schedulingGates.orValue([]).size() > 0))`)

// workloadChangesPods is true for updates that change the images or the placement of the pods that a workload makes, how they
// are pulled, what may exempt or except the pods, or that it makes more of them. How many run at a time is computed as package
// workload does. Of a scale nothing else is sent. Kinds other than Kubernetes' own may have any shape: any change outside of
// metadata and status counts.
var workloadChangesPods = condition("changes-pods",
	`request.operation != 'UPDATE' || (request.?subResource.orValue('') == 'scale' ?`,
	`object.?spec.?replicas.orValue(0) > oldObject.?spec.?replicas.orValue(0)`,
	`: request.kind.group in ['', 'apps', 'batch'] ?`,
	`[[object, oldObject].map(o, o.?spec.?jobTemplate.or(optional.of(o)))`,
	`.map(o, o.?template.or(o.?spec.?template))].exists(t,`,
	`[t.map(o, o.?metadata.?labels)].exists(l, l[0] != l[1])`,
	`|| [t.map(o, o.?spec.orValue({}))].exists(s,`,
	`['initContainers', 'containers'].exists(f,`,
	`s[0][?f].orValue([]).map(c, [c.?image, c.?imagePullPolicy]) != s[1][?f].orValue([]).map(c, [c.?image, c.?imagePullPolicy])`,
	`|| s[0][?f].orValue([]).map(c, c.?ports.orValue([]).filter(p, p.?hostPort.hasValue()))`,
	`!= s[1][?f].orValue([]).map(c, c.?ports.orValue([]).filter(p, p.?hostPort.hasValue())))`,
	`|| s[0].?volumes.orValue([]).map(v, v.?image) != s[1].?volumes.orValue([]).map(v, v.?image)`,
	`|| ['nodeName', 'nodeSelector', 'affinity', 'tolerations', 'os', 'topologySpreadConstraints', 'hostNetwork', 'priorityClassName']`,
	`.exists(f, s[0][?f] != s[1][?f])))`,
	`|| [[object, oldObject].map(o, o.?spec.?jobTemplate.or(optional.of(o)).?spec.orValue({}))`,
	`.map(s, s.?replicas.orValue([s.?parallelism.orValue(1), s.?completions.orValue(s.?parallelism.orValue(1))].min()))]`,
	`.exists(n, n[0] > n[1])`,
	`|| [[object, oldObject].map(o, o.?spec.?suspend.orValue(false) || o.?spec.?jobTemplate.?spec.?suspend.orValue(false))]`,
	`.exists(waits, !waits[0] && waits[1])`,
	`: [[object, oldObject]].exists(o,`,
	`o[0].exists(f, !(f in ['metadata', 'status']) && o[0][?f] != o[1][?f])`,
	`|| o[1].exists(f, !(f in ['metadata', 'status']) && !(f in o[0]))))`)

// policyOrLabels is true for the policy's ConfigMap, and for namespaces that get, lose or change a label of ours.
var policyOrLabels = condition("policy-or-labels",
	`request.resource.resource == 'configmaps'`,
	`? request.namespace == 'headroom-system'`,
	`&& (request.operation == 'DELETE' ? oldObject : object).metadata.?name.orValue('') == 'headroom-policy'`,
	`: [[object.metadata.?labels.orValue({}), request.operation == 'UPDATE' ? oldObject.metadata.?labels.orValue({}) : {}]].exists(l,`,
	`l.exists(m, m.exists(k, k.startsWith('headroom.dev/') && l[0][?k] != l[1][?k])))`)

func condition(name string, expression ...string) admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{Name: name, Expression: strings.Join(expression, " ")}
}
