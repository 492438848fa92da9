// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
	"k8s.io/utils/ptr"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// Annotations on pods that say what a container does.
const (
	// RunForAnnotation is how long the containers of a pod run that is not restarted
	// (restartPolicy Never or OnFailure), such as "30s". It then succeeds.
	RunForAnnotation = "simnode.headroom.dev/run-for"
	// InitRunForAnnotation is how long each init container runs.
	InitRunForAnnotation = "simnode.headroom.dev/init-run-for"
	// WritableBytesAnnotation is each container's writable layer in bytes.
	WritableBytesAnnotation = "simnode.headroom.dev/writable-bytes"
)

// systemCritical is the priority from which on pods are critical to the kubelet.
const systemCritical = 2_000_000_000

// trackedPod is a pod of this node, as the loop knows it.
type trackedPod struct {
	pod *corev1.Pod
	ip  string
	// known says that the engine has it; a pod that was over before has not.
	known bool
	// dirty says that its status may have to be written.
	dirty bool
	// leaving says that it has to be removed from the API.
	leaving bool
}

// accept takes over a delivery of the informer. The caller holds n.mu.
func (n *Node) accept(d delivery, now time.Time) []disk.Event {
	pod, id := d.pod, string(d.pod.UID)
	t := n.pods[pod.UID]
	if d.gone {
		delete(n.pods, pod.UID)
		n.refs = slices.DeleteFunc(n.refs, func(r statsv1alpha1.PodReference) bool { return r.UID == id })
		return n.engine.RemovePod(now, id)
	}
	if t == nil {
		t = &trackedPod{}
		n.pods[pod.UID] = t
	}
	t.pod = pod
	switch {
	case pod.DeletionTimestamp != nil:
		t.leaving, t.dirty = true, false
		return n.engine.RemovePod(now, id)
	case t.known, pod.Status.Phase == corev1.PodSucceeded, pod.Status.Phase == corev1.PodFailed:
		return nil
	}
	t.known, t.dirty = true, true
	n.refs = append(n.refs, statsv1alpha1.PodReference{Namespace: pod.Namespace, Name: pod.Name, UID: id})
	n.podIPs++
	t.ip = fmt.Sprintf("10.%d.%d.%d", 128+n.index/250%128, n.index%250, 1+(n.podIPs-1)%250)
	if pod.Spec.HostNetwork {
		t.ip = n.ip()
	}
	return n.engine.AddPod(now, podFor(pod))
}

// podFor translates a pod for the engine. What an annotation says wrong counts
// as not said.
func podFor(pod *corev1.Pod) disk.Pod {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	priority := ptr.Deref(pod.Spec.Priority, 0)
	out := disk.Pod{ID: string(pod.UID), Priority: priority, Critical: mirror || priority >= systemCritical}
	writable, _ := strconv.ParseInt(pod.Annotations[WritableBytesAnnotation], 10, 64)
	initRunFor, _ := time.ParseDuration(pod.Annotations[InitRunForAnnotation])
	var runFor time.Duration
	if pod.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		runFor, _ = time.ParseDuration(pod.Annotations[RunForAnnotation])
	}
	for _, v := range pod.Spec.Volumes {
		if v.Image != nil {
			out.Volumes = append(out.Volumes, disk.Container{Name: v.Name, Image: v.Image.Reference, Policy: disk.PullPolicy(v.Image.PullPolicy)})
		}
	}
	containerFor := func(c corev1.Container) disk.Container {
		request := c.Resources.Requests[corev1.ResourceEphemeralStorage]
		return disk.Container{
			Name: c.Name, Image: c.Image, Policy: disk.PullPolicy(c.ImagePullPolicy),
			WritableBytes: max(0, writable), RequestBytes: request.Value(), RunFor: max(0, runFor),
		}
	}
	for _, c := range pod.Spec.InitContainers {
		d := containerFor(c)
		d.Sidecar = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		d.RunFor = 0
		if !d.Sidecar {
			d.RunFor = max(0, initRunFor)
		}
		out.InitContainers = append(out.InitContainers, d)
	}
	for _, c := range pod.Spec.Containers {
		out.Containers = append(out.Containers, containerFor(c))
	}
	return out
}

// flushPods writes what changed about pods, and removes those that are leaving.
func (n *Node) flushPods(ctx context.Context) {
	byAge := slices.SortedFunc(maps.Values(n.pods), func(a, b *trackedPod) int {
		return cmp.Or(a.pod.CreationTimestamp.Compare(b.pod.CreationTimestamp.Time), cmp.Compare(a.pod.UID, b.pod.UID))
	})
	for _, t := range byAge {
		if ctx.Err() != nil {
			return
		}
		switch {
		case t.leaving:
			n.removePod(ctx, t)
		case t.dirty:
			n.writePod(ctx, t)
		}
	}
}

func (n *Node) removePod(ctx context.Context, t *trackedPod) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	err := n.client.CoreV1().Pods(t.pod.Namespace).Delete(ctx, t.pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(t.pod.UID)),
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		n.retry("delete pod "+t.pod.Name, err)
		return
	}
	t.leaving = false
}

func (n *Node) writePod(ctx context.Context, t *trackedPod) {
	n.mu.Lock()
	state, ok := n.engine.Pod(string(t.pod.UID))
	n.mu.Unlock()
	if !ok {
		t.dirty = false
		return
	}
	next := t.pod.DeepCopy()
	n.setPodStatus(next, t.ip, state)
	if equality.Semantic.DeepEqual(t.pod.Status, next.Status) {
		t.dirty = false
		return
	}
	patch, err := statusPatch(t.pod, next)
	if err != nil {
		n.retry("patch of pod "+t.pod.Name, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	written, err := n.client.CoreV1().Pods(t.pod.Namespace).Patch(ctx, t.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	switch {
	case err == nil:
		t.pod, t.dirty = written, false
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		t.dirty = false // gone, or another pod of that name
	default:
		n.retry("status of pod "+t.pod.Name, err)
	}
}

// statusPatch holds the change of status between two states of one pod.
func statusPatch(old, next *corev1.Pod) ([]byte, error) {
	type envelope struct {
		Metadata struct {
			UID types.UID `json:"uid"`
		} `json:"metadata"`
		Status corev1.PodStatus `json:"status"`
	}
	var documents [2][]byte
	for i, pod := range []*corev1.Pod{old, next} {
		var e envelope
		if i == 1 {
			e.Metadata.UID = pod.UID // makes the patch apply to this pod alone
		}
		e.Status = pod.Status
		document, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encode status: %w", err)
		}
		documents[i] = document
	}
	return strategicpatch.CreateTwoWayMergePatch(documents[0], documents[1], corev1.Pod{})
}
