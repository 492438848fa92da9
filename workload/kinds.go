// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// kinds are Kubernetes' own, in the version that the API server sends, whatever version the user wrote.
var kinds = map[schema.GroupVersionKind]func([]byte) (*Workload, error){
	appsv1.SchemeGroupVersion.WithKind("Deployment"): reader(func(o *appsv1.Deployment) *Workload {
		return &Workload{Meta: o.ObjectMeta, Replicas: wanted(o.Spec.Replicas), Template: o.Spec.Template}
	}),
	appsv1.SchemeGroupVersion.WithKind("StatefulSet"): reader(func(o *appsv1.StatefulSet) *Workload {
		return &Workload{Meta: o.ObjectMeta, Replicas: wanted(o.Spec.Replicas), Template: o.Spec.Template}
	}),
	appsv1.SchemeGroupVersion.WithKind("DaemonSet"): reader(func(o *appsv1.DaemonSet) *Workload {
		return &Workload{Meta: o.ObjectMeta, EveryNode: true, Template: o.Spec.Template}
	}),
	appsv1.SchemeGroupVersion.WithKind("ReplicaSet"): reader(func(o *appsv1.ReplicaSet) *Workload {
		return &Workload{Meta: o.ObjectMeta, Replicas: wanted(o.Spec.Replicas), Template: o.Spec.Template}
	}),
	corev1.SchemeGroupVersion.WithKind("ReplicationController"): reader(func(o *corev1.ReplicationController) *Workload {
		if o.Spec.Template == nil {
			return nil
		}
		return &Workload{Meta: o.ObjectMeta, Replicas: wanted(o.Spec.Replicas), Template: *o.Spec.Template}
	}),
	corev1.SchemeGroupVersion.WithKind("PodTemplate"): reader(func(o *corev1.PodTemplate) *Workload {
		return &Workload{Meta: o.ObjectMeta, Replicas: 1, Template: o.Template, Path: "template"}
	}),
	batchv1.SchemeGroupVersion.WithKind("Job"): reader(func(o *batchv1.Job) *Workload {
		return &Workload{Meta: o.ObjectMeta, Replicas: atATime(&o.Spec), Suspended: is(o.Spec.Suspend), Template: o.Spec.Template}
	}),
	batchv1.SchemeGroupVersion.WithKind("CronJob"): reader(func(o *batchv1.CronJob) *Workload {
		job := &o.Spec.JobTemplate.Spec
		return &Workload{
			Meta: o.ObjectMeta, Replicas: atATime(job), Suspended: is(o.Spec.Suspend) || is(job.Suspend),
			Template: job.Template, Path: "spec.jobTemplate.spec.template",
		}
	}),
}

// reader decodes a T and makes a workload of it; a nil one is one without a template.
func reader[T any](workloadOf func(*T) *Workload) func([]byte) (*Workload, error) {
	return func(object []byte) (*Workload, error) {
		var o T
		if err := utiljson.Unmarshal(object, &o); err != nil {
			return nil, err
		}
		w := workloadOf(&o)
		if w == nil {
			return nil, ErrNoTemplate
		}
		return w, nil
	}
}

// wanted is a number of pods, for which nil stands for one, as the API server would set it.
func wanted(n *int32) int {
	if n == nil {
		return 1
	}
	return max(int(*n), 0)
}

// atATime is how many of a job's pods run at a time: no more than are still to succeed.
func atATime(job *batchv1.JobSpec) int {
	n := wanted(job.Parallelism)
	if job.Completions != nil {
		n = min(n, wanted(job.Completions))
	}
	return n
}

func is(b *bool) bool { return b != nil && *b }
