// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/ledger"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var (
	t0 = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	t1 = t0.Add(time.Minute)
)

func running(name, imageID string, since time.Time) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, ImageID: imageID, State: corev1.ContainerState{
		Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)},
	}}
}

func waitingFor(name, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
}

func TestPodImages(t *testing.T) {
	type pod = corev1.Pod
	one := func(statuses ...corev1.ContainerStatus) *pod {
		return &pod{
			Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "app:1"}}},
			Status: corev1.PodStatus{ContainerStatuses: statuses},
		}
	}
	app := func(change func(*ledger.PodImage)) []ledger.PodImage {
		row := ledger.PodImage{Ref: mustRef(t, "app:1"), PullPolicy: corev1.PullIfNotPresent}
		change(&row)
		return []ledger.PodImage{row}
	}
	appA := mustRef(t, "app@"+digestA)
	for name, test := range map[string]struct {
		pod  *pod
		want []ledger.PodImage
	}{
		"no status yet":                           {one(), app(func(*ledger.PodImage) {})},
		"waiting while its image is pulled":       {one(waitingFor("c", "ContainerCreating")), app(func(*ledger.PodImage) {})},
		"a status of a container that is gone":    {one(running("other", digestA, t0)), app(func(*ledger.PodImage) {})},
		"running, with the digest":                {one(running("c", "docker.io/library/app@"+digestA, t0)), app(func(p *ledger.PodImage) { p.ImageID, p.Pulled, p.StartedAt = appA, true, t0 })},
		"a bare image ID proves that it is there": {one(running("c", digestA, t0)), app(func(p *ledger.PodImage) { p.Pulled, p.StartedAt = true, t0 })},
		"created but not started": {
			one(corev1.ContainerStatus{Name: "c", ImageID: "docker.io/library/app@" + digestA, State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerError"},
			}}),
			app(func(p *ledger.PodImage) { p.ImageID, p.Pulled = appA, true }),
		},
		"the epoch is no start": {
			one(corev1.ContainerStatus{Name: "c", State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{StartedAt: metav1.Unix(0, 0)},
			}}),
			app(func(*ledger.PodImage) {}),
		},
		"a restart brings no new bytes": {
			one(corev1.ContainerStatus{
				Name: "c", ImageID: "docker.io/library/app@" + digestA,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(t1)}},
				LastTerminationState: corev1.ContainerState{
					Terminated: &corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(t0)},
				},
			}),
			app(func(p *ledger.PodImage) { p.ImageID, p.Pulled, p.StartedAt = appA, true, t0 }),
		},
		"a name that does not parse costs nothing": {
			&pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "NOT a name"}}}}, nil,
		},
		"two containers of one image: it came with the first": {
			&pod{
				Spec: corev1.PodSpec{
					InitContainers: []corev1.Container{{Name: "i", Image: "app:1"}},
					Containers:     []corev1.Container{{Name: "c", Image: "docker.io/library/app:1", ImagePullPolicy: corev1.PullAlways}},
				},
				Status: corev1.PodStatus{
					InitContainerStatuses: []corev1.ContainerStatus{running("i", "docker.io/library/app@"+digestA, t0)},
					ContainerStatuses:     []corev1.ContainerStatus{running("c", "docker.io/library/app@"+digestB, t1)},
				},
			},
			app(func(p *ledger.PodImage) {
				p.PullPolicy, p.ImageID, p.Pulled, p.StartedAt = corev1.PullAlways, appA, true, t0
			}),
		},
		"an ephemeral container": {
			&pod{
				Spec: corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{
					{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "c", Image: "app:1"}},
				}},
				Status: corev1.PodStatus{EphemeralContainerStatuses: []corev1.ContainerStatus{waitingFor("c", "ErrImagePull")}},
			},
			app(func(p *ledger.PodImage) { p.Failing = true }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, PodOf(test.pod).Images, refs); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPodImagesFailing(t *testing.T) {
	for reason, want := range map[string]bool{
		"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true,
		"RegistryUnavailable": true, "ContainerCreating": false, "PodInitializing": false, "CrashLoopBackOff": false, "": false,
	} {
		p := &corev1.Pod{
			Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "app:1"}}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waitingFor("c", reason)}},
		}
		if got := PodOf(p).Images[0].Failing; got != want {
			t.Errorf("failing with reason %q: %v, want %v", reason, got, want)
		}
	}
}

func TestImageVolumes(t *testing.T) {
	volume := corev1.Volume{Name: "model", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "model:1"}}}
	pod := func(status corev1.ContainerStatus) *corev1.Pod {
		return &corev1.Pod{
			Spec: corev1.PodSpec{
				Volumes:        []corev1.Volume{volume, {Name: "empty"}},
				InitContainers: []corev1.Container{{Name: "i", Image: "init:1"}},
				Containers:     []corev1.Container{{Name: "c", Image: "app:1"}},
			},
			Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{status}},
		}
	}
	mounted := running("i", "docker.io/library/init@"+digestA, t0)
	mounted.VolumeMounts = []corev1.VolumeMountStatus{{Name: "model", VolumeStatus: &corev1.VolumeStatus{
		Image: &corev1.ImageVolumeStatus{ImageRef: "docker.io/library/model@" + digestB},
	}}}
	for name, test := range map[string]struct {
		status corev1.ContainerStatus
		want   ledger.PodImage
	}{
		"nothing started yet":                    {waitingFor("i", "PodInitializing"), ledger.PodImage{}},
		"some image fails, nobody says which":    {waitingFor("i", "ErrImagePull"), ledger.PodImage{Failing: true}},
		"any container that runs proves volumes": {running("i", "docker.io/library/init@"+digestA, t0), ledger.PodImage{Pulled: true, StartedAt: t0}},
		"the kubelet tells the digest":           {mounted, ledger.PodImage{Pulled: true, StartedAt: t0, ImageID: mustRef(t, "model@"+digestB)}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Ref, test.want.PullPolicy = mustRef(t, "model:1"), corev1.PullIfNotPresent
			if diff := cmp.Diff(test.want, PodOf(pod(test.status)).Images[0], refs); diff != "" {
				t.Errorf("volume's image (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPodOf(t *testing.T) {
	scheduled := func(status corev1.ConditionStatus, reason string) corev1.PodStatus {
		return corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: status, Reason: reason}}}
	}
	for name, test := range map[string]struct {
		pod  corev1.Pod
		want ledger.Pod
	}{
		"waiting for the scheduler": {},
		"created": {
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(t0)}}, ledger.Pod{CreatedUnixSeconds: t0.Unix()},
		},
		"gated": {
			corev1.Pod{Spec: corev1.PodSpec{SchedulingGates: []corev1.PodSchedulingGate{{Name: "g"}}}, Status: scheduled(corev1.ConditionFalse, "SchedulingGated")},
			ledger.Pod{Gated: true},
		},
		"the last gate is gone, the condition stayed": {
			corev1.Pod{Status: scheduled(corev1.ConditionFalse, "SchedulingGated")}, ledger.Pod{},
		},
		"unschedulable":   {corev1.Pod{Status: scheduled(corev1.ConditionFalse, "Unschedulable")}, ledger.Pod{Unschedulable: true}},
		"scheduler error": {corev1.Pod{Status: scheduled(corev1.ConditionFalse, "SchedulerError")}, ledger.Pod{}},
		"nominated":       {corev1.Pod{Status: corev1.PodStatus{NominatedNodeName: "n"}}, ledger.Pod{NominatedNodeName: "n"}},
		"bound before the condition followed": {
			corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, Status: scheduled(corev1.ConditionFalse, "Unschedulable")}, ledger.Pod{NodeName: "n"},
		},
		"succeeded": {
			corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Phase: corev1.PodSucceeded}},
			ledger.Pod{NodeName: "n", Finished: true},
		},
		"failed": {
			corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}, Status: corev1.PodStatus{Phase: corev1.PodFailed}},
			ledger.Pod{NodeName: "n", Finished: true},
		},
		"on its way out": {
			corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: t0}}, Spec: corev1.PodSpec{NodeName: "n"}},
			ledger.Pod{NodeName: "n", Deleting: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := PodOf(&test.pod)
			if unbound := got.Placement != nil; unbound != (got.NodeName == "") {
				t.Errorf("placement known: %v, for node %q", unbound, got.NodeName)
			}
			test.want.Requests.Pods = 1
			got.Placement = nil
			if diff := cmp.Diff(test.want, got, refs); diff != "" {
				t.Errorf("PodOf (-want +got):\n%s", diff)
			}
		})
	}
}

// richPod has every field that PodOf reads, and many that it doesn't.
func richPod() *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	resources := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), "nvidia.com/gpu": resource.MustParse("1")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
	}
	crashed := running("c", "docker.io/library/app@"+digestA, t1)
	crashed.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(t0), Message: "out of luck"}
	crashed.VolumeMounts = []corev1.VolumeMountStatus{
		{Name: "model", VolumeStatus: &corev1.VolumeStatus{Image: &corev1.ImageVolumeStatus{ImageRef: "docker.io/library/model@" + digestB}}},
		{Name: "empty"},
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "p", UID: "uid-p", ResourceVersion: "3", Labels: map[string]string{"app": "p"}, CreationTimestamp: metav1.NewTime(t0),
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		},
		Spec: corev1.PodSpec{
			Volumes: []corev1.Volume{
				{Name: "empty", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "model", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "model:1", PullPolicy: corev1.PullAlways}}},
			},
			InitContainers: []corev1.Container{
				{Name: "i", Image: "init:1", Resources: resources},
				{Name: "s", Image: "sidecar:1", Resources: resources, RestartPolicy: &always},
			},
			Containers: []corev1.Container{{Name: "c", Image: "app:1", Resources: resources, Env: []corev1.EnvVar{{Name: "A", Value: "b"}}}},
			EphemeralContainers: []corev1.EphemeralContainer{
				{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e", Image: "debug:1"}},
			},
			Overhead:     corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")},
			Resources:    &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}},
			NodeSelector: map[string]string{"pool": "gpu"},
			OS:           &corev1.PodOS{Name: corev1.Linux},
			Tolerations:  []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}},
			Affinity: &corev1.Affinity{
				NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
						{Key: "zone", Operator: corev1.NodeSelectorOpIn, Values: []string{"b", "a"}},
					}}},
				}},
				PodAffinity: &corev1.PodAffinity{},
			},
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "g"}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending, NominatedNodeName: "n",
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"},
			},
			InitContainerStatuses:      []corev1.ContainerStatus{running("s", "docker.io/library/sidecar@"+digestB, t0), waitingFor("i", "ErrImagePull")},
			ContainerStatuses:          []corev1.ContainerStatus{crashed},
			EphemeralContainerStatuses: []corev1.ContainerStatus{waitingFor("e", "ImagePullBackOff")},
		},
	}
}
