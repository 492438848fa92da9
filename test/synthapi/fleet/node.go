// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// node is a node of a pool as an object, with a kubelet's and a cloud's marks.
func (f *Fleet) node(p *pool, images []int, v values) *corev1.Node {
	name := v.texts[nodeName]
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID(v.texts[uid]), ResourceVersion: v.texts[version], CreationTimestamp: v.time(created),
			Labels: p.labels(name), Annotations: annotations(v.texts[nodeIP]), ManagedFields: p.managedFields(v), Finalizers: []string{"example.com/release-addresses"},
		},
		Spec: corev1.NodeSpec{ProviderID: "example:///zone-" + p.zone() + "/" + name, PodCIDR: "10.0.0.0/24", PodCIDRs: []string{"10.0.0.0/24"}, Taints: p.taints()},
		Status: corev1.NodeStatus{
			Capacity: p.resources(0), Allocatable: p.resources(1), Conditions: p.conditions(v),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: v.texts[nodeIP]},
				{Type: corev1.NodeHostName, Address: name},
				{Type: corev1.NodeInternalDNS, Address: name + ".zone-" + p.zone() + ".internal.example.com"},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: f.options.KubeletPort}},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: v.texts[uid], SystemUUID: v.texts[uid], BootID: v.texts[uid],
				KernelVersion: "6.12.48-cloud-amd64", OSImage: "Debian GNU/Linux 13 (trixie)", ContainerRuntimeVersion: "containerd://2.2.1",
				KubeletVersion: "v1.37.2", OperatingSystem: "linux", Architecture: p.architecture(),
			},
			RuntimeHandlers: []corev1.NodeRuntimeHandler{{Name: ""}, {Name: "runc"}},
			Features:        &corev1.NodeFeatures{SupplementalGroupsPolicy: new(true)},
		},
	}
	for _, index := range images {
		n.Status.Images = append(n.Status.Images, f.catalog[index].listed())
	}
	return n
}

func (p *pool) zone() string { return string(rune('a' + p.index%3)) }

func (p *pool) architecture() string {
	if p.index%6 == 5 {
		return "arm64"
	}
	return "amd64"
}

func (p *pool) labels(name string) map[string]string {
	kind := fmt.Sprintf("c%d.4xlarge", 5+p.index/3)
	labels := map[string]string{
		corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: p.architecture(),
		corev1.LabelInstanceTypeStable: kind, corev1.LabelInstanceType: kind, "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": p.architecture(),
		corev1.LabelTopologyZone: "zone-" + p.zone(), corev1.LabelTopologyRegion: "region-1",
		corev1.LabelFailureDomainBetaZone: "zone-" + p.zone(), corev1.LabelFailureDomainBetaRegion: "region-1",
		"example.com/pool": fmt.Sprintf("pool-%02d", p.index), "example.com/owner": "platform", "example.com/image-family": "debian-13",
	}
	for i := range 11 {
		labels[fmt.Sprintf("feature.node.example.com/cpu-%02d", i)] = "true"
	}
	return labels
}

func (p *pool) taints() []corev1.Taint {
	switch p.index {
	case 3:
		return []corev1.Taint{{Key: "example.com/dedicated", Value: "batch", Effect: corev1.TaintEffectNoSchedule}}
	case 4:
		return []corev1.Taint{{Key: "example.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule}}
	default:
		return nil
	}
}

func annotations(ip string) map[string]string {
	a := map[string]string{
		"node.alpha.kubernetes.io/ttl": "0", "volumes.kubernetes.io/controller-managed-attach-detach": "true",
		"csi.volume.kubernetes.io/nodeid": `{"ebs.csi.example.com":"i-0123456789abcdef0","efs.csi.example.com":"i-0123456789abcdef0"}`,
		"network.example.com/addresses":   `["` + ip + `"]`,
	}
	for i := range 4 {
		a[fmt.Sprintf("cluster.example.com/machine-%d", i)] = strings.Repeat("machine-configuration-", 3)
	}
	return a
}

// resources are a node's: less are set aside for itself.
func (p *pool) resources(aside int64) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewMilliQuantity(16_000-80*aside, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity((64<<30)-(2<<30)*aside, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity((200<<30)-(20<<30)*aside, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(110, resource.DecimalSI),
		"hugepages-2Mi":                 *resource.NewQuantity(0, resource.BinarySI),
	}
}

func (p *pool) conditions(v values) []corev1.NodeCondition {
	var all []corev1.NodeCondition
	for _, c := range []struct {
		kind            corev1.NodeConditionType
		status          corev1.ConditionStatus
		reason, message string
	}{
		{corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
		{corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
		{corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
		{"FrequentContainerdRestart", corev1.ConditionFalse, "NoFrequentContainerdRestart", "containerd is functioning properly"},
		{corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"},
	} {
		all = append(all, corev1.NodeCondition{
			Type: c.kind, Status: c.status, Reason: c.reason, Message: c.message, LastHeartbeatTime: v.time(started), LastTransitionTime: v.time(created),
		})
	}
	return all
}

func (p *pool) managedFields(v values) []metav1.ManagedFieldsEntry {
	var labels []string
	for label := range p.labels("") {
		labels = append(labels, label)
	}
	conditions := owned{}
	for _, c := range p.conditions(v) {
		conditions[fmt.Sprintf(`k:{"type":%q}`, c.Type)] = of("lastHeartbeatTime", "lastTransitionTime", "message", "reason", "status", "type").with(".", owned{})
	}
	return []metav1.ManagedFieldsEntry{
		managed("cloud-controller-manager", "", v.time(created), owned{"f:spec": of("providerID", "taints"), "f:metadata": of("labels")}),
		managed("kubelet", "", v.time(created), owned{"f:metadata": owned{"f:labels": of(labels...), "f:annotations": of("volumes.kubernetes.io/controller-managed-attach-detach")}}),
		managed("kubelet", "status", v.time(started), owned{"f:status": of("addresses", "allocatable", "capacity", "daemonEndpoints", "images", "nodeInfo").with("f:conditions", conditions)}),
	}
}
