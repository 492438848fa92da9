// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/headroom-dev/headroom/fit"
)

// Workload is an object that makes pods from a template.
type Workload struct {
	// Kind is the API's word, such as Deployment.
	Kind string
	// Meta is the object's own metadata.
	Meta metav1.ObjectMeta
	// Replicas is how many pods it wants at a time, at least 0.
	Replicas int
	// EveryNode is set where each node that can take one of the pods gets one. Replicas is then 0.
	EveryNode bool
	// Suspended is set where it makes no pods until somebody says so.
	Suspended bool
	// Template is what its pods are made from, and Path the field it is in, such as spec.template.
	Template corev1.PodTemplateSpec
	Path     string
}

var (
	// ErrUnknownKind is for objects of which nobody knows where their template is.
	ErrUnknownKind = errors.New("not a kind that is known to make pods")
	// ErrNoTemplate is for objects that have none, where one of their kind may.
	ErrNoTemplate = errors.New("it has no pod template")
)

// Decode reads the JSON of an object of this kind. custom is where the template is, should the kind not be Kubernetes' own;
// nil where nobody knows. Other errors than ErrUnknownKind and ErrNoTemplate say in one sentence what is wrong with the object.
func Decode(kind schema.GroupVersionKind, object []byte, custom *Paths) (*Workload, error) {
	var (
		w   *Workload
		err error
	)
	switch read, known := kinds[kind]; {
	case known:
		w, err = read(object)
	case custom != nil:
		w, err = custom.read(object)
	default:
		return nil, ErrUnknownKind
	}
	if err != nil {
		return nil, err
	}
	w.Kind = kind.Kind
	if w.Path == "" {
		w.Path = "spec.template"
	}
	return w, nil
}

// OfPod is what can be told of a workload by a pod that it made: the template is what that pod is without its node and without
// what was added to debug it. Nothing of pod is changed.
func OfPod(kind string, meta metav1.ObjectMeta, replicas int, pod *corev1.Pod) *Workload {
	w := &Workload{Kind: kind, Meta: meta, Replicas: max(replicas, 0), Path: "spec.template"}
	w.Template.Labels, w.Template.Spec = pod.Labels, pod.Spec
	w.Template.Spec.NodeName, w.Template.Spec.EphemeralContainers = "", nil
	return w
}

// Name is the object's name, or what the API server will begin it with.
func (w *Workload) Name() string {
	if w.Meta.Name == "" {
		return w.Meta.GenerateName
	}
	return w.Meta.Name
}

// Request is the question about its pods. Their namespace is the object's.
func (w *Workload) Request() fit.Request {
	r := fit.RequestOfTemplate(w.pod(), fit.Workload{Kind: w.Kind, Replicas: w.Replicas, EveryNode: w.EveryNode})
	for i := range r.Invalid {
		r.Invalid[i].Field = w.Path + "." + r.Invalid[i].Field
	}
	return r
}

// pod is one of its pods before it is made: none that may be there already, whatever the template's metadata says.
func (w *Workload) pod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: w.Template.ObjectMeta, Spec: w.Template.Spec}
	pod.Namespace, pod.Name, pod.UID = w.Meta.Namespace, w.Name(), ""
	return pod
}
