// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func portNamed(name string) intstr.IntOrString { return intstr.FromString(name) }

func condition(kind corev1.PodConditionType, since metav1.Time) corev1.PodCondition {
	return corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: since}
}

// runs adds what the kubelet writes of a pod that runs. Container IDs are numbered as they are encoded: those of init
// containers come last.
func (f *Fleet) runs(t *template, p *corev1.Pod, v values) {
	began, ip := v.time(started), v.texts[podIP]
	s := &p.Status
	s.Phase, s.StartTime, s.PodIP, s.HostIP = corev1.PodRunning, new(v.time(created)), ip, v.texts[nodeIP]
	s.PodIPs, s.HostIPs = []corev1.PodIP{{IP: ip}}, []corev1.HostIP{{IP: s.HostIP}}
	s.Conditions = []corev1.PodCondition{
		condition(corev1.PodReadyToStartContainers, began), condition(corev1.PodInitialized, v.time(created)),
		condition(corev1.PodReady, began), condition(corev1.ContainersReady, began), condition(corev1.PodScheduled, v.time(created)),
	}
	ids := 0
	status := func(c *corev1.Container, i *image) corev1.ContainerStatus {
		ids++
		return corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: i.repository + "@" + i.digest, ContainerID: "containerd://" + v.hexIDs(ids-1), Ready: true, Started: new(true),
			Resources: &c.Resources,
		}
	}
	for k := range p.Spec.Containers {
		one := status(&p.Spec.Containers[k], &f.catalog[t.images[t.initImages+k]])
		one.State.Running = &corev1.ContainerStateRunning{StartedAt: began}
		s.ContainerStatuses = append(s.ContainerStatuses, one)
	}
	for k := range p.Spec.InitContainers {
		one := status(&p.Spec.InitContainers[k], &f.catalog[t.images[k]])
		one.Started = new(false)
		one.State.Terminated = &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: v.time(created), FinishedAt: began}
		s.InitContainerStatuses = append(s.InitContainerStatuses, one)
	}
}
