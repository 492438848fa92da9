// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// pod is a pod of a template as an object: as the API server would have it after its defaults, with what controllers, the
// scheduler and the kubelet have written.
func (f *Fleet) pod(t *template, phase Phase, v values) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: t.podPrefix() + v.texts[nameSuffix], GenerateName: t.podPrefix(), Namespace: t.namespace,
			UID: types.UID(v.texts[uid]), ResourceVersion: v.texts[version], CreationTimestamp: v.time(created),
			Labels: map[string]string{
				"app.kubernetes.io/name": t.name, "app.kubernetes.io/part-of": t.namespace, "app.kubernetes.io/managed-by": "Helm",
				"pod-template-hash": t.hash, "example.com/cost-centre": fmt.Sprintf("cc-%04d", t.index*37%10_000),
			},
			Annotations: map[string]string{
				"prometheus.io/scrape": "true", "prometheus.io/port": "9090",
				"checksum/config": t.hash + t.hash + t.hash + t.hash, "kubectl.kubernetes.io/restartedAt": "2025-12-30T08:15:00Z",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: t.apiVersion, Kind: t.kind, Name: t.owner, UID: types.UID(t.ownerUID), Controller: new(true), BlockOwnerDeletion: new(true),
			}},
			ManagedFields: t.managedFields(phase, v),
		},
		Spec:   f.podSpec(t, v),
		Status: corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBurstable},
	}
	if phase != Waiting {
		p.Spec.NodeName = v.texts[nodeName]
		p.Status.Conditions = append(p.Status.Conditions, condition(corev1.PodScheduled, v.time(created)))
	}
	if phase == Running || phase == Deleting {
		f.runs(t, p, v)
	}
	if phase == Deleting {
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = new(v.time(deleted)), new(int64(30))
	}
	return p
}

func (f *Fleet) podSpec(t *template, v values) corev1.PodSpec {
	token := "kube-api-access-" + v.texts[nameSuffix]
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyAlways, DNSPolicy: corev1.DNSClusterFirst, SchedulerName: corev1.DefaultSchedulerName,
		TerminationGracePeriodSeconds: new(int64(30)), ServiceAccountName: t.name, DeprecatedServiceAccount: t.name,
		EnableServiceLinks: new(true), PreemptionPolicy: new(corev1.PreemptLowerPriority), Priority: new(int32(0)),
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), FSGroup: new(int64(2000)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Tolerations:     tolerations(t),
		Volumes: []corev1.Volume{
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: t.name + "-config"}, DefaultMode: new(int32(420))}}},
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			tokenVolume(token),
		},
	}
	for k, index := range t.images {
		c := container(t, k, f.catalog[index].name(), token)
		if k < t.initImages {
			c.LivenessProbe, c.ReadinessProbe, c.Ports = nil, nil, nil
			spec.InitContainers = append(spec.InitContainers, c)
		} else {
			spec.Containers = append(spec.Containers, c)
		}
	}
	switch {
	case t.kind == "DaemonSet":
		spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
				Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{v.texts[nodeName]},
			}}}},
		}}}
		spec.PriorityClassName, spec.Priority = "system-node-critical", new(int32(2_000_001_000))
	case t.index%5 == 0:
		spec.NodeSelector = map[string]string{corev1.LabelOSStable: "linux"}
	}
	return spec
}

func tolerations(t *template) []corev1.Toleration {
	if t.kind == "DaemonSet" {
		return []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	return []corev1.Toleration{
		{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
		{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
	}
}

// tokenVolume is what the API server gives each pod for its ServiceAccount.
func tokenVolume(name string) corev1.Volume {
	field := &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: new(int32(420)),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: new(int64(3607)), Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}, Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "namespace", FieldRef: field}}}},
		},
	}}}
}

func container(t *template, k int, image, token string) corev1.Container {
	name := []string{"app", "proxy", "agent"}[k%3]
	c := corev1.Container{
		Name: name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args: []string{"--config=/etc/" + t.name + "/config.yaml", "--log-format=json", "--shutdown-grace=20s"},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse([]string{"50m", "100m", "250m"}[t.index%3]), corev1.ResourceMemory: resource.MustParse([]string{"64Mi", "128Mi", "512Mi"}[t.index%3])},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
		},
		Ports: []corev1.ContainerPort{
			{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}, {Name: "metrics", ContainerPort: 9090, Protocol: corev1.ProtocolTCP},
		},
		LivenessProbe: probe("/healthz"), ReadinessProbe: probe("/readyz"),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: "/etc/" + t.name, ReadOnly: true},
			{Name: "scratch", MountPath: "/tmp"},
			{Name: token, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true},
		},
		SecurityContext:        &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		TerminationMessagePath: corev1.TerminationMessagePathDefault, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
	for n := range environment {
		c.Env = append(c.Env, corev1.EnvVar{Name: variable(n), Value: fmt.Sprintf("https://%s-%d.%s.svc.cluster.local:8443/v1", t.name, n, t.namespace)})
	}
	c.Env = append(c.Env, corev1.EnvVar{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}})
	return c
}

// environment is how many variables a container has beside POD_NAME.
const environment = 5

func variable(n int) string { return fmt.Sprintf("UPSTREAM_%d_ENDPOINT", n) }

func probe(path string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: portNamed("http"), Scheme: corev1.URISchemeHTTP}},
		TimeoutSeconds: 1, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: 3, InitialDelaySeconds: 5,
	}
}
