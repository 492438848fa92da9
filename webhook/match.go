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
// scheduled from now on.
var podChangesImagesOrNode = condition("changes-images-or-node",
	`request.operation != 'UPDATE' || [[object.?spec.orValue({}), oldObject.?spec.orValue({})]].exists(s,`,
	`['initContainers', 'containers', 'ephemeralContainers'].exists(f,`,
	`s[0][?f].orValue([]).map(c, c.?image) != s[1][?f].orValue([]).map(c, c.?image))`,
	`|| s[0].?volumes.orValue([]).map(v, v.?image.?reference) != s[1].?volumes.orValue([]).map(v, v.?image.?reference)`,
	`|| s[0].?nodeName != s[1].?nodeName`,
	`|| (s[0].?schedulingGates.orValue([]).size() == 0 && s[1].?schedulingGates.orValue([]).size() > 0))`)

// workloadChangesPods is true for updates that change the images or the placement of the pods that a workload makes, or that
// it makes more of them. Kinds other than Kubernetes' own may have any shape: any change outside of metadata and status
// counts.
var workloadChangesPods = condition("changes-pods",
	`request.operation != 'UPDATE' || (request.kind.group in ['', 'apps', 'batch'] ?`,
	`[[object, oldObject].map(o, o.?spec.?jobTemplate.or(optional.of(o)))`,
	`.map(o, o.?template.or(o.?spec.?template).?spec.orValue({}))].exists(s,`,
	`['initContainers', 'containers'].exists(f,`,
	`s[0][?f].orValue([]).map(c, c.?image) != s[1][?f].orValue([]).map(c, c.?image))`,
	`|| s[0].?volumes.orValue([]).map(v, v.?image.?reference) != s[1].?volumes.orValue([]).map(v, v.?image.?reference)`,
	`|| ['nodeName', 'nodeSelector', 'affinity', 'tolerations', 'os', 'topologySpreadConstraints'].exists(f, s[0][?f] != s[1][?f]))`,
	`|| [[object, oldObject].map(o, o.?spec.?jobTemplate.or(optional.of(o)).?spec.orValue({}))].exists(s,`,
	`['replicas', 'parallelism', 'completions'].exists(f, s[0][?f].orValue(0) > s[1][?f].orValue(0)))`,
	`|| (!object.?spec.?suspend.orValue(false) && oldObject.?spec.?suspend.orValue(false))`,
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
