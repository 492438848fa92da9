// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/imageref"
)

// slimNode keeps of a Node what this package reads, and nothing else:
//
//   - name, UID, resourceVersion and labels: identity, what the reflector continues from, and what pods select by;
//   - taints and unschedulable: where pods may land;
//   - capacity of ephemeral-storage, and allocatable: the disk of the lowest tier, and room for pods;
//   - type and status of the conditions Ready and DiskPressure. Their heartbeats change every few minutes on every node
//     and would make each update look like a change;
//   - the internal addresses and the kubelet's port: where the kubelet is asked;
//   - nodeInfo's boot ID, runtime version, operating system and architecture;
//   - the image list.
//
// Managed fields, annotations, volumes and machine IDs are about a quarter of a Node's bytes.
func slimNode(n *corev1.Node) *corev1.Node {
	slim := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:            n.Name,
			UID:             n.UID,
			ResourceVersion: n.ResourceVersion,
			Labels:          n.Labels,
		},
		Spec: corev1.NodeSpec{
			Taints:        n.Spec.Taints,
			Unschedulable: n.Spec.Unschedulable,
		},
		Status: corev1.NodeStatus{
			Allocatable:     n.Status.Allocatable,
			DaemonEndpoints: n.Status.DaemonEndpoints,
			NodeInfo: corev1.NodeSystemInfo{
				BootID:                  n.Status.NodeInfo.BootID,
				ContainerRuntimeVersion: n.Status.NodeInfo.ContainerRuntimeVersion,
				OperatingSystem:         n.Status.NodeInfo.OperatingSystem,
				Architecture:            n.Status.NodeInfo.Architecture,
			},
			Images: n.Status.Images,
		},
	}
	if storage, told := n.Status.Capacity[corev1.ResourceEphemeralStorage]; told {
		slim.Status.Capacity = corev1.ResourceList{corev1.ResourceEphemeralStorage: storage}
	}
	for i := range n.Status.Conditions {
		if c := &n.Status.Conditions[i]; c.Type == corev1.NodeReady || c.Type == corev1.NodeDiskPressure {
			slim.Status.Conditions = append(slim.Status.Conditions, corev1.NodeCondition{Type: c.Type, Status: c.Status})
		}
	}
	for _, address := range n.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			slim.Status.Addresses = append(slim.Status.Addresses, address)
		}
	}
	return slim
}

// slimPod keeps of a Pod what this package reads, and nothing else:
//
//   - namespace, name, UID, resourceVersion, creationTimestamp, deletionTimestamp: identity, and whether it is on its way out;
//   - nodeName, nominatedNodeName, phase and the reason of the condition PodScheduled: where it is or will be;
//   - of each container name, image, pull policy, requests and restart policy (which makes an init container a sidecar),
//     of each image volume its source: what is pulled, and what the scheduler reserves;
//   - overhead and the pod's own resources, for the same sum;
//   - until it has finished: its controller, node selector, required node affinity, tolerations, operating
//     system, labels and priority class, and what keeps it off nodes that have another of its template (ports of the node,
//     required anti-affinity and spread by host name): what it would be if it were created again, where it could land and what
//     exempts it. Once it is bound, that is without the labels that only this one pod of its set has, and with nothing but the
//     controller for a pod of a DaemonSet or a static one: they can't land elsewhere;
//   - until it is bound: scheduling gates;
//   - of each container status name, image ID, state (when it started, why it waits) and what volumes are mounted from
//     images: how far the node is with pulling.
//
// Environment, commands, probes, other volumes, annotations and managed fields go: nine tenths of most pods. Texts whose length
// the API server does not check are cut where they can't mean anything any more.
func slimPod(p *corev1.Pod) *corev1.Pod {
	slim := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         p.Namespace,
			Name:              p.Name,
			UID:               p.UID,
			ResourceVersion:   p.ResourceVersion,
			CreationTimestamp: p.CreationTimestamp,
			DeletionTimestamp: p.DeletionTimestamp,
		},
		Spec: corev1.PodSpec{
			NodeName:       p.Spec.NodeName,
			Overhead:       p.Spec.Overhead,
			Resources:      p.Spec.Resources,
			InitContainers: slimContainers(p.Spec.InitContainers),
			Containers:     slimContainers(p.Spec.Containers),
			Volumes:        imageVolumes(p.Spec.Volumes),
		},
		Status: corev1.PodStatus{
			Phase:                      clipped(p.Status.Phase, maxName),
			NominatedNodeName:          clipped(p.Status.NominatedNodeName, maxName),
			InitContainerStatuses:      slimStatuses(p.Status.InitContainerStatuses),
			ContainerStatuses:          slimStatuses(p.Status.ContainerStatuses),
			EphemeralContainerStatuses: slimStatuses(p.Status.EphemeralContainerStatuses),
		},
	}
	for i := range p.Spec.EphemeralContainers {
		c := &p.Spec.EphemeralContainers[i]
		slim.Spec.EphemeralContainers = append(slim.Spec.EphemeralContainers, corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: c.Name, Image: clippedImage(c.Image), ImagePullPolicy: c.ImagePullPolicy},
		})
	}
	if !finished(p) {
		keepTemplate(slim, p)
	}
	if p.Spec.NodeName == "" {
		keepUnbound(slim, p)
	}
	return slim
}

// keepUnbound copies what is asked about this very pod until it is bound.
func keepUnbound(slim, p *corev1.Pod) {
	keepPlacement(slim, p)
	slim.Spec.PriorityClassName = p.Spec.PriorityClassName
	slim.Labels = p.Labels
	slim.Spec.SchedulingGates = p.Spec.SchedulingGates
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == corev1.PodScheduled {
			slim.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status, Reason: clipped(c.Reason, maxName)}}
		}
	}
}

// keepPlacement copies what says where a pod may land, and beside how many of its kind.
func keepPlacement(slim, p *corev1.Pod) {
	slim.Spec.NodeSelector = p.Spec.NodeSelector
	slim.Spec.Tolerations = p.Spec.Tolerations
	slim.Spec.OS = p.Spec.OS
	if p.Spec.Affinity != nil && p.Spec.Affinity.NodeAffinity != nil {
		required := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		slim.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required}}
	}
	keepApart(slim, p)
}

func slimContainers(containers []corev1.Container) []corev1.Container {
	var slim []corev1.Container
	for i := range containers {
		c := &containers[i]
		slim = append(slim, corev1.Container{
			Name:            c.Name,
			Image:           clippedImage(c.Image),
			ImagePullPolicy: c.ImagePullPolicy,
			Resources:       corev1.ResourceRequirements{Requests: c.Resources.Requests},
			RestartPolicy:   c.RestartPolicy,
		})
	}
	return slim
}

func imageVolumes(volumes []corev1.Volume) []corev1.Volume {
	var slim []corev1.Volume
	for i := range volumes {
		if v := &volumes[i]; v.Image != nil {
			image := &corev1.ImageVolumeSource{Reference: clippedImage(v.Image.Reference), PullPolicy: v.Image.PullPolicy}
			slim = append(slim, corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{Image: image}})
		}
	}
	return slim
}

func slimStatuses(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	var slim []corev1.ContainerStatus
	for i := range statuses {
		s := &statuses[i]
		kept := corev1.ContainerStatus{
			Name:                 clipped(s.Name, maxName),
			ImageID:              clippedImage(s.ImageID),
			State:                slimState(s.State),
			LastTerminationState: slimState(s.LastTerminationState),
		}
		for _, mount := range s.VolumeMounts {
			if mount.VolumeStatus != nil && mount.VolumeStatus.Image != nil {
				image := &corev1.ImageVolumeStatus{ImageRef: clippedImage(mount.VolumeStatus.Image.ImageRef)}
				kept.VolumeMounts = append(kept.VolumeMounts, corev1.VolumeMountStatus{
					Name: clipped(mount.Name, maxName), VolumeStatus: &corev1.VolumeStatus{Image: image},
				})
			}
		}
		slim = append(slim, kept)
	}
	return slim
}

// clippedImage leaves an image name that is too long for one too long.
func clippedImage(name string) string { return clipped(name, imageref.MaxLength+1) }

// slimState drops messages, which hold a container's last words, and everything else but reason and start.
func slimState(s corev1.ContainerState) corev1.ContainerState {
	var slim corev1.ContainerState
	if s.Waiting != nil {
		slim.Waiting = &corev1.ContainerStateWaiting{Reason: clipped(s.Waiting.Reason, maxName)}
	}
	if s.Running != nil {
		slim.Running = &corev1.ContainerStateRunning{StartedAt: s.Running.StartedAt}
	}
	if s.Terminated != nil {
		slim.Terminated = &corev1.ContainerStateTerminated{StartedAt: s.Terminated.StartedAt}
	}
	return slim
}
