// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// setPodStatus writes what the kubelet would report of a pod into its status.
func (n *Node) setPodStatus(pod *corev1.Pod, ip string, state disk.PodState) {
	status := &pod.Status
	now := metav1.NewTime(n.clock.Now().Truncate(time.Second))
	status.Phase = corev1.PodPhase(state.Phase)
	status.Reason, status.Message = state.Reason, state.Message
	if state.Phase == disk.Failed && len(status.ContainerStatuses) == 0 && !anyStarted(state) {
		return // rejected, or evicted before anything started
	}
	status.HostIP, status.HostIPs = n.ip(), []corev1.HostIP{{IP: n.ip()}}
	if status.StartTime == nil {
		status.StartTime = &now
	}
	if anyStarted(state) {
		status.PodIP, status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
	}
	status.InitContainerStatuses = containerStatuses(pod.Spec.InitContainers, state.InitContainers, state)
	status.ContainerStatuses = containerStatuses(pod.Spec.Containers, state.Containers, state)

	initialized := state.Phase != disk.Pending || initDone(pod, state)
	running := state.Phase == disk.Running
	setPodCondition(status, corev1.PodReadyToStartContainers, !isOver(state.Phase), "", now)
	setPodCondition(status, corev1.PodInitialized, initialized, "ContainersNotInitialized", now)
	setPodCondition(status, corev1.PodReady, running, readyReason(state.Phase), now)
	setPodCondition(status, corev1.ContainersReady, running, readyReason(state.Phase), now)
	if state.Reason == "Evicted" {
		setPodCondition(status, corev1.DisruptionTarget, true, "", now)
		for i := range status.Conditions {
			if status.Conditions[i].Type == corev1.DisruptionTarget {
				status.Conditions[i].Reason, status.Conditions[i].Message = corev1.PodReasonTerminationByKubelet, state.Message
			}
		}
	}
}

func isOver(p disk.Phase) bool { return p == disk.Succeeded || p == disk.Failed }

func readyReason(p disk.Phase) string {
	switch p {
	case disk.Succeeded:
		return "PodCompleted"
	case disk.Failed:
		return "PodFailed"
	default:
		return "ContainersNotReady"
	}
}

func anyStarted(state disk.PodState) bool {
	for _, c := range slices.Concat(state.InitContainers, state.Containers) {
		if !c.StartedAt.IsZero() {
			return true
		}
	}
	return false
}

// initDone says whether the init containers are over, sidecars started.
func initDone(pod *corev1.Pod, state disk.PodState) bool {
	for i, c := range state.InitContainers {
		sidecar := pod.Spec.InitContainers[i].RestartPolicy != nil
		if c.StartedAt.IsZero() || (!sidecar && c.FinishedAt.IsZero()) {
			return false
		}
	}
	return true
}

func containerStatuses(specs []corev1.Container, states []disk.ContainerState, pod disk.PodState) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for i, s := range states {
		c := corev1.ContainerStatus{Name: s.Name, Image: specs[i].Image, ImageID: s.ImageRef, Started: new(false)}
		switch {
		case s.StartedAt.IsZero() && pod.Phase == disk.Failed:
			c.State.Terminated = &corev1.ContainerStateTerminated{
				Reason: "ContainerStatusUnknown", ExitCode: 137, Message: "The container could not be located when the pod was terminated",
			}
		case s.StartedAt.IsZero():
			reason := s.WaitingReason
			if reason == "ContainerCreating" && !initOver(pod) {
				reason = "PodInitializing"
			}
			c.State.Waiting = &corev1.ContainerStateWaiting{Reason: cmp.Or(reason, "ContainerCreating"), Message: s.WaitingMessage}
		case s.FinishedAt.IsZero():
			c.ContainerID, c.Ready, c.Started = containerID(s), true, new(true)
			c.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(s.StartedAt)}
		default:
			c.ContainerID = containerID(s)
			c.State.Terminated = &corev1.ContainerStateTerminated{
				Reason: "Completed", ContainerID: c.ContainerID,
				StartedAt: metav1.NewTime(s.StartedAt), FinishedAt: metav1.NewTime(s.FinishedAt),
			}
			if pod.Phase == disk.Failed {
				c.State.Terminated.Reason, c.State.Terminated.ExitCode = "Error", 137
			}
		}
		out = append(out, c)
	}
	return out
}

func initOver(pod disk.PodState) bool {
	for _, c := range pod.InitContainers {
		if c.StartedAt.IsZero() {
			return false
		}
	}
	return true
}

// containerID is made up, and the same for as long as the container lives.
func containerID(s disk.ContainerState) string {
	return "containerd://" + hexID(s.Name+s.ImageID+s.StartedAt.String())
}

func setPodCondition(status *corev1.PodStatus, kind corev1.PodConditionType, is bool, otherwise string, now metav1.Time) {
	want := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue}
	if !is {
		want.Status, want.Reason = corev1.ConditionFalse, otherwise
	}
	for i := range status.Conditions {
		c := &status.Conditions[i]
		if c.Type != kind {
			continue
		}
		if c.Status != want.Status {
			c.LastTransitionTime = now
		}
		c.Status, c.Reason = want.Status, want.Reason
		return
	}
	want.LastTransitionTime = now
	status.Conditions = append(status.Conditions, want)
}
