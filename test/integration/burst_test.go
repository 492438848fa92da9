// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	burstPods, burstImages = 200, 40
	// burstRoom is how many of the images the nodes of a burst hold.
	burstNodes, burstRoom = 3, 15
	// wantedDelay is how long after the API server's answer 99 in 100 pods may need to be in every ledger.
	wantedDelay = 250 * time.Millisecond
)

// TestBurst: of pods that all come in one second, and each of which would fit for itself, those of 15 images are admitted,
// and besides at most those that come while there are replicas that have not heard of the first ones. On a machine that is
// busy with something else, that takes longer: the best of three bursts counts.
func TestBurst(t *testing.T) {
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d of Headroom", replicas), func(t *testing.T) {
			best := time.Hour
			for attempt := 1; attempt <= 3 && best > wantedDelay; attempt++ {
				t.Run(fmt.Sprint("burst ", attempt), func(t *testing.T) {
					best = min(best, aBurst(t, replicas, fmt.Sprintf("burst-%d-%d", replicas, attempt)))
				})
			}
			if best > wantedDelay {
				t.Errorf("99 in 100 pods are in every ledger %v after they were admitted, want %v in the best of three bursts", best, wantedDelay)
			}
		})
	}
}

// aBurst returns the delay of 99 in 100 pods.
func aBurst(t *testing.T, replicas int, name string) time.Duration {
	quiet(t)
	startNodes(t, burstCatalog(), burstSpecs(name, 0)...)
	setPolicyText(t, burstPolicy("steer: Off"))
	processes := startReplicas(t, replicas)
	burstNamespace(t, name)

	b := createAll(t, name, func(i int) *corev1.Pod {
		pod := poolPod(fmt.Sprint("pod-", i), name, burstImage(i*burstImages/burstPods))
		// None is bound, as long as it takes: a pod whose node is known counts there anyway.
		pod.Spec.SchedulerName = "nobody"
		return pod
	})
	b.awaitSeen(t, processes)
	measured := 0.0
	for _, p := range processes {
		measured += p.Metric(t, "headroom_informer_delay_seconds")
	}
	// An answer that came too late for the API server is not measured.
	if admitted := b.admitted(); measured == 0 || measured > float64(admitted) {
		t.Errorf("the delay of %v pods is measured, %d were admitted", measured, admitted)
	}
	return b.check(t)
}

// TestBurstSteered is the same burst with a scheduler, on three nodes of that room and one that has none and stays as it is. A
// few images get in beyond the room. They cost images that no pod uses, and no pod is evicted.
func TestBurstSteered(t *testing.T) {
	// So many unused images have the nodes with room, for what gets in beyond it. A machine that is too busy lets in more. And a
	// kubelet rejects what is bound to it in the second in which it frees their bytes.
	const spare = 8
	for attempt := 1; attempt <= 3; attempt++ {
		beyond, evicted := 0, 0
		t.Run(fmt.Sprint("burst ", attempt), func(t *testing.T) {
			beyond, evicted = aSteeredBurst(t, fmt.Sprint("burst-steered-", attempt), spare)
			if beyond <= 0 && evicted > 0 {
				t.Errorf("%d pods were evicted, though no image got in beyond the room", evicted)
			}
		})
		if beyond <= spare && evicted == 0 {
			return
		}
	}
	t.Errorf("in each of three bursts pods were evicted, or more than %d images got in beyond the room", spare)
}

// aSteeredBurst returns how many images got in beyond the room, and how many pods were evicted. With more than spare it looks at
// nothing else.
func aSteeredBurst(t *testing.T, name string, spare int) (beyond, evicted int) {
	quiet(t)
	full := burstSpec(name+"-full", name, 0, 2)
	startNodes(t, burstCatalog(), append(burstSpecs(name, spare), full)...)
	setPolicyText(t, burstPolicy("warnAt: PressuresDisk", "denyAt: PressuresDisk", "steer: On"))
	processes := startReplicas(t, 3)
	burstNamespace(t, name)
	owner := ownerOf(t, name)
	resume := holdScheduler(t)
	b := createAll(t, name, func(i int) *corev1.Pod {
		// All pods of one image ask for the same node, as if they shared a cache: so one image is one on one node.
		image := i * burstImages / burstPods
		pod := poolPod(fmt.Sprint("pod-", i), name, burstImage(image))
		pod.Labels = map[string]string{"image": strconv.Itoa(image)}
		pod.OwnerReferences = owner
		pod.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			LabelSelector: &metav1.LabelSelector{MatchLabels: pod.Labels}, TopologyKey: corev1.LabelHostname,
		}}}}
		return pod
	})
	b.awaitSeen(t, processes)
	b.check(t)
	if beyond = len(b.images()) - burstRoom; beyond > spare {
		return beyond, 0
	}
	resume()
	pods := func() *corev1.PodList {
		list, err := shared.client.CoreV1().Pods(name).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	eventually(t, time.Minute, "every pod has run or been evicted", func() bool {
		return !slices.ContainsFunc(pods().Items, func(p corev1.Pod) bool { return p.Status.Phase == corev1.PodPending })
	})
	// The simulated kubelets look each second, at what was measured in the second before, and evict one pod each time.
	time.Sleep(5 * time.Second)
	ended := pods()
	images := map[string]map[string]bool{}
	for i := range ended.Items {
		pod := &ended.Items[i]
		if pod.Status.Phase != corev1.PodRunning {
			evicted++
			t.Logf("%s on %s: %s %s", pod.Name, pod.Spec.NodeName, pod.Status.Reason, pod.Status.Message)
		}
		if images[pod.Spec.NodeName] == nil {
			images[pod.Spec.NodeName] = map[string]bool{}
		}
		images[pod.Spec.NodeName][pod.Spec.Containers[0].Image] = true
	}
	for node, names := range images {
		t.Logf("%s has %d images", node, len(names))
	}
	sentBack, through := 0.0, 0.0
	for _, p := range processes {
		sentBack += p.Metric(t, "headroom_steering_bindings_total", "outcome=sent-back")
		through += p.Metric(t, "headroom_steering_bindings_total", "outcome=no-other-node")
	}
	t.Logf("%v bindings sent back, %v let through for want of another node", sentBack, through)
	if sentBack == 0 {
		t.Error("no binding was sent back: the burst says nothing about steering")
	}
	return beyond, evicted
}
