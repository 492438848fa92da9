// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package review

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Pod says what one template's pods are like.
type Pod struct {
	// Owner is the kind of the controller that makes them: ReplicaSet, StatefulSet, Job or DaemonSet.
	Owner string
	// Images are those of the containers; Init that of an init container, empty for none.
	Images []string
	Init   string
	// NodeSelector is the pod's.
	NodeSelector map[string]string
	// EnvPerContainer is how many environment variables each container has.
	EnvPerContainer int
}

// typical are the shapes of the pods of a cluster, given some images: web servers, databases, jobs and what runs beside them.
func typical(images []string) []Pod {
	image := func(i int) string { return images[i%len(images)] }
	return []Pod{
		{Owner: "ReplicaSet", Images: []string{image(0), image(1)}, EnvPerContainer: 8},
		{Owner: "StatefulSet", Images: []string{image(2)}, Init: image(3), EnvPerContainer: 8},
		{Owner: "Job", Images: []string{image(4)}, EnvPerContainer: 24},
		{Owner: "ReplicaSet", Images: []string{image(5), image(6), image(7)}, NodeSelector: map[string]string{"pool": "pool-1"}, EnvPerContainer: 2},
	}
}

// Pods are typical pods with these images, as they are when they are admitted.
func Pods(images []string) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, pod := range typical(images) {
		pods = append(pods, pod.object(objectUID))
	}
	return pods
}

// object is the pod as it is when it is admitted: with its name, UID and managed fields, not bound, without a status.
func (p *Pod) object(uid types.UID) *corev1.Pod {
	name := "checkout-" + strings.ToLower(p.Owner)
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name + "-x7k2p", GenerateName: name + "-", Namespace: "shop", UID: uid,
			CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
			Labels: map[string]string{
				"app.kubernetes.io/name": "checkout", "app.kubernetes.io/instance": name, "app.kubernetes.io/part-of": "shop",
				"app.kubernetes.io/managed-by": "Helm", "pod-template-hash": "6d4b75cb6d",
			},
			Annotations: map[string]string{
				"prometheus.io/scrape": "true", "prometheus.io/port": "9090",
				"checksum/config": strings.Repeat("0123456789abcdef", 4),
			},
			OwnerReferences: []metav1.OwnerReference{p.owner(name)},
			ManagedFields:   []metav1.ManagedFieldsEntry{managedFields()},
		},
		Spec: corev1.PodSpec{
			NodeSelector: p.NodeSelector, RestartPolicy: corev1.RestartPolicyAlways, DNSPolicy: corev1.DNSClusterFirst,
			ServiceAccountName: "checkout", DeprecatedServiceAccount: "checkout", SchedulerName: corev1.DefaultSchedulerName,
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true)}, Priority: new(int32(0)), EnableServiceLinks: new(true),
			PreemptionPolicy: new(corev1.PreemptLowerPriority), TerminationGracePeriodSeconds: new(int64(30)),
			Tolerations: []corev1.Toleration{
				{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
				{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
			},
			Volumes: []corev1.Volume{projectedToken()},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBurstable},
	}
	for i, image := range p.Images {
		pod.Spec.Containers = append(pod.Spec.Containers, container(fmt.Sprint("container-", i), image, p.EnvPerContainer))
	}
	if p.Init != "" {
		init := container("migrate", p.Init, p.EnvPerContainer)
		init.LivenessProbe, init.ReadinessProbe = nil, nil // which the API server takes of sidecars only
		pod.Spec.InitContainers = []corev1.Container{init}
	}
	return pod
}

func (p *Pod) owner(name string) metav1.OwnerReference {
	version := appsv1.SchemeGroupVersion
	if p.Owner == "Job" {
		version = batchv1.SchemeGroupVersion
	}
	return metav1.OwnerReference{
		APIVersion: version.String(), Kind: p.Owner, Name: name + "-6d4b75cb6d", UID: "5c1d6d0e-3d55-4d0e-9a39-0b6f3f1c7c11",
		Controller: new(true), BlockOwnerDeletion: new(true),
	}
}

func container(name, image string, env int) corev1.Container {
	probe := &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("http"), Scheme: corev1.URISchemeHTTP}},
		TimeoutSeconds: 1, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: 3,
	}
	c := corev1.Container{
		Name: name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:  []string{"--log-format=json", "--listen=:8080", "--config=/etc/checkout/config.yaml"},
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
		},
		LivenessProbe: probe, ReadinessProbe: probe,
		VolumeMounts:           []corev1.VolumeMount{{Name: "kube-api-access-8xq2v", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}},
		TerminationMessagePath: corev1.TerminationMessagePathDefault, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
	for i := range env {
		c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("CHECKOUT_SETTING_%02d", i), Value: fmt.Sprintf("https://backend-%02d.shop.svc", i)})
	}
	return c
}

func projectedToken() corev1.Volume {
	return corev1.Volume{Name: "kube-api-access-8xq2v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: new(int32(420)),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: new(int64(3607)), Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}, Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
				Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"},
			}}}},
		},
	}}}
}

// managedFields is what the API server notes of a controller's pod: a map of about 900 bytes, without values.
func managedFields() metav1.ManagedFieldsEntry {
	var env strings.Builder
	for i := range 8 {
		fmt.Fprintf(&env, `"k:{\"name\":\"CHECKOUT_SETTING_%02d\"}":{".":{},"f:name":{},"f:value":{}},`, i)
	}
	fields := `{"f:metadata":{"f:generateName":{},"f:labels":{".":{},"f:app.kubernetes.io/name":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"container-0\"}":{".":{},"f:env":{` +
		env.String() + `".":{}},"f:image":{},"f:name":{}}},"f:restartPolicy":{}}}`
	return metav1.ManagedFieldsEntry{
		Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
		Time:     new(metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))),
		FieldsV1: metav1.NewFieldsV1(fields),
	}
}
