// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// What a node says it is.
const (
	kubeletVersion = "v1.37.2"
	runtimeVersion = "containerd://2.4.2"
	// maxNames is the kubelet's MaxNamesPerImageInNodeStatus.
	maxNames = 5
)

func wrapNode(name string, err error) error { return fmt.Errorf("node %q: %w", name, err) }

// register makes the Node object, or takes over one that is there, and reports
// it Ready.
func (n *Node) register(ctx context.Context) error {
	nodes := n.client.CoreV1().Nodes()
	object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.spec.Name, Labels: n.labels(), Annotations: n.spec.Annotations}}
	object.Spec.Taints = n.spec.Taints
	created, err := nodes.Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		if created, err = nodes.Get(ctx, n.spec.Name, metav1.GetOptions{}); err != nil {
			return wrapNode(n.spec.Name, err)
		}
		next := created.DeepCopy()
		if next.Labels == nil {
			next.Labels = map[string]string{}
		}
		maps.Copy(next.Labels, n.labels())
		created, err = nodes.Update(ctx, next, metav1.UpdateOptions{})
	}
	if err != nil {
		return wrapNode(n.spec.Name, err)
	}
	n.object = created
	now := n.clock.Now()
	n.mu.Lock()
	n.events = append(n.events, n.engine.Advance(now)...)
	n.mu.Unlock()
	if err := n.writeStatus(ctx, now); err != nil {
		return wrapNode(n.spec.Name, err)
	}
	n.nextStatus = now.Add(wait.Jitter(n.spec.StatusPeriod, jitter))
	n.recorder.Event(n.reference(), corev1.EventTypeNormal, "Starting", "Starting kubelet.")
	return nil
}

func (n *Node) labels() map[string]string {
	out := map[string]string{
		corev1.LabelHostname: n.spec.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	}
	maps.Copy(out, n.spec.Labels)
	return out
}

// reportStatus writes the status when it changed or is due, as the kubelet's
// syncNodeStatus does.
func (n *Node) reportStatus(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := n.writeStatus(ctx, now); err != nil {
		n.retry("status", err)
		n.nextStatus = n.nextRetry
	}
}

func (n *Node) writeStatus(ctx context.Context, now time.Time) error {
	next := n.object.DeepCopy()
	n.mu.Lock()
	n.setStatus(&next.Status, now)
	pressure := n.engine.UnderDiskPressure()
	n.mu.Unlock()
	if n.taints {
		if err := n.syncTaints(ctx, pressure); err != nil {
			return err
		}
	}
	if now.Sub(n.sent) < n.spec.StatusReportPeriod && sameStatus(n.object.Status, next.Status) {
		return nil
	}
	patch, err := patchOf(n.object.Status, next.Status)
	if err != nil {
		return err
	}
	written, err := n.client.CoreV1().Nodes().PatchStatus(ctx, n.spec.Name, patch)
	if err != nil {
		return fmt.Errorf("patch status: %w", err)
	}
	n.object, n.sent = written, now
	return nil
}

func patchOf(old, next corev1.NodeStatus) ([]byte, error) {
	var documents [2][]byte
	for i, status := range []corev1.NodeStatus{old, next} {
		document, err := json.Marshal(corev1.Node{Status: status})
		if err != nil {
			return nil, fmt.Errorf("encode status: %w", err)
		}
		documents[i] = document
	}
	return strategicpatch.CreateTwoWayMergePatch(documents[0], documents[1], corev1.Node{})
}

// sameStatus compares all but the heartbeats.
func sameStatus(a, b corev1.NodeStatus) bool {
	without := func(s corev1.NodeStatus) corev1.NodeStatus {
		s = *s.DeepCopy()
		for i := range s.Conditions {
			s.Conditions[i].LastHeartbeatTime = metav1.Time{}
		}
		return s
	}
	return equality.Semantic.DeepEqual(without(a), without(b))
}

// setStatus fills in a status. The caller holds n.mu.
func (n *Node) setStatus(status *corev1.NodeStatus, now time.Time) {
	cfg := n.engine.Config()
	sample := n.engine.Sample()
	ephemeral := cmp.Or(sample.NodeFSCapacityBytes, cfg.NodeFSBytes)
	status.Capacity = corev1.ResourceList{
		corev1.ResourceCPU: n.spec.AllocatableCPU, corev1.ResourceMemory: n.spec.AllocatableMemory,
		corev1.ResourcePods:             *resource.NewQuantity(int64(n.spec.MaxPods), resource.DecimalSI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(ephemeral, resource.BinarySI),
	}
	status.Allocatable = status.Capacity.DeepCopy()
	status.Allocatable[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(ephemeral-n.hardReserve(ephemeral), resource.BinarySI)
	status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.ip()}}
	status.DaemonEndpoints.KubeletEndpoint.Port = n.port()
	id := hexID(n.spec.Name)
	status.NodeInfo = corev1.NodeSystemInfo{
		Architecture: "amd64", OperatingSystem: "linux", OSImage: "Simulated", KernelVersion: "6.12.0-simulated",
		KubeletVersion: kubeletVersion, ContainerRuntimeVersion: runtimeVersion,
		MachineID: id[:32], SystemUUID: id[:32], BootID: hexID(n.spec.Name + n.started.String())[:32],
	}
	status.Images = images(n.engine.CachedImages(), n.spec.NodeStatusMaxImages)
	for _, c := range []corev1.NodeCondition{
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory", Message: "kubelet has sufficient memory available"},
		diskPressure(n.engine.UnderDiskPressure()),
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID", Message: "kubelet has sufficient PID available"},
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"},
	} {
		setNodeCondition(status, c, now)
	}
}

// hardReserve is what the kubelet takes off allocatable for its hard threshold
// on the node file system (kubelet: hardEvictionReservation).
func (n *Node) hardReserve(capacityBytes int64) int64 {
	for _, t := range n.spec.Thresholds {
		if t.Signal == disk.NodeFSAvailable && !t.Soft {
			return t.Line.Of(capacityBytes)
		}
	}
	return 0
}

// images is the list in the node status (kubelet: nodestatus.Images).
func images(listed []disk.ListedImage, limit int) []corev1.ContainerImage {
	if limit > -1 && limit < len(listed) {
		listed = listed[:limit]
	}
	var out []corev1.ContainerImage
	for _, img := range listed {
		names := slices.Concat(img.RepoDigests, img.RepoTags)
		out = append(out, corev1.ContainerImage{Names: names[:min(len(names), maxNames)], SizeBytes: img.ReportedBytes})
	}
	return out
}

func diskPressure(on bool) corev1.NodeCondition {
	if on {
		return corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue, Reason: "KubeletHasDiskPressure", Message: "kubelet has disk pressure"}
	}
	return corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure", Message: "kubelet has no disk pressure"}
}

func setNodeCondition(status *corev1.NodeStatus, want corev1.NodeCondition, now time.Time) {
	want.LastHeartbeatTime, want.LastTransitionTime = metav1.NewTime(now), metav1.NewTime(now)
	for i, c := range status.Conditions {
		if c.Type == want.Type {
			if c.Status == want.Status {
				want.LastTransitionTime = c.LastTransitionTime
			}
			status.Conditions[i] = want
			return
		}
	}
	status.Conditions = append(status.Conditions, want)
}

// syncTaints does the node lifecycle controller's work where there is none.
func (n *Node) syncTaints(ctx context.Context, pressure bool) error {
	want := withTaint(n.object.Spec.Taints, corev1.TaintNodeNotReady, false)
	want = withTaint(want, corev1.TaintNodeDiskPressure, pressure)
	if equality.Semantic.DeepEqual(want, n.object.Spec.Taints) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"taints": want}})
	if err != nil {
		return fmt.Errorf("encode taints: %w", err)
	}
	written, err := n.client.CoreV1().Nodes().Patch(ctx, n.spec.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("patch taints: %w", err)
	}
	n.object.Spec = written.Spec
	return nil
}

// withTaint is the taints with or without one of the NoSchedule taints.
func withTaint(taints []corev1.Taint, key string, has bool) []corev1.Taint {
	var out []corev1.Taint
	for _, t := range taints {
		if t.Key != key || t.Effect != corev1.TaintEffectNoSchedule {
			out = append(out, t)
		} else if has {
			out, has = append(out, t), false
		}
	}
	if has {
		out = append(out, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
	}
	return out
}

func (n *Node) ip() string {
	host, _, _ := net.SplitHostPort(n.listener.Addr().String()) // a TCP listener's address splits
	return host
}

func (n *Node) port() int32 {
	_, port, _ := net.SplitHostPort(n.listener.Addr().String())
	number, _ := strconv.ParseInt(port, 10, 32)
	return int32(number)
}
