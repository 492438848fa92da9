// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"hash/maphash"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/ledger"
)

// podFeed turns pods into rows of the ledger. What the pods of one template have in common is worked out, and kept, once. Not safe
// for concurrent use.
type podFeed struct {
	templates *interned[template]
	// byWire finds them by what they are made of as it comes.
	byWire *interned[template]
	// tied are the specs of pods that are each made for one node, by podOwn.tied.
	tied memo[uint64, *specKnown]
	ids  imageIDs
	// common, bare and scratch are scratch space.
	common, bare corev1.Pod
	scratch      []byte
}

// maxTied is how many specs of pods that are made for one node each are remembered, twice at most: more than there are DaemonSets.
const maxTied = 1024

// template is what pods that are made of one template have in common, as slimPod leaves it.
type template struct {
	// encoded is the pod in protobuf, without what is of one pod only: hardly anybody ever asks for it.
	encoded []byte
	known   specKnown
	// labels are those of all its pods.
	labels map[string]string
	// owner is nil for pods that nothing controls; replicaSetHash is the label of a Deployment's pods.
	owner          *metav1.OwnerReference
	replicaSetHash string
	// likeness is the same for templates of one owner between which nothing differs that is asked about workloads.
	likeness uint64
}

func newPodFeed() *podFeed {
	return &podFeed{templates: newInterned[template](), byWire: newInterned[template](), tied: memo[uint64, *specKnown]{limit: maxTied}}
}

// rowOf is row for a *corev1.Pod or a *leanPod. It fails only for what can't be decoded.
func (f *podFeed) rowOf(object metav1.Object) (ledger.Pod, error) {
	switch p := object.(type) {
	case *corev1.Pod:
		return f.row(p), nil
	case *leanPod:
		return f.leanRow(p)
	default:
		return ledger.Pod{}, fmt.Errorf("a %T is no pod", object)
	}
}

// row is PodOf of the pod, with its template. Pods that have finished have none, nor those that are made for one node each: nobody
// asks for it. Those that somebody debugs are not quite of theirs.
func (f *podFeed) row(p *corev1.Pod) ledger.Pod {
	slim := slimPod(p)
	owner := metav1.GetControllerOfNoCopy(slim)
	if finished(slim) || tiedToNode(owner) {
		return rowOf(slim, knownOf(&slim.Spec), &f.ids)
	}
	t := f.templateOf(slim, owner)
	known := &t.known
	if len(slim.Spec.EphemeralContainers) > 0 {
		known = knownOf(&slim.Spec)
	}
	row := rowOf(slim, known, &f.ids)
	row.Template = t
	return row
}

// templateOf returns what the pod has in common with others.
func (f *podFeed) templateOf(slim *corev1.Pod, owner *metav1.OwnerReference) *template {
	common := &f.common
	defer func() { *common = corev1.Pod{} }()
	common.Namespace, common.Labels, common.OwnerReferences = slim.Namespace, templateLabels(slim.Labels), slim.OwnerReferences
	common.Spec = slim.Spec
	common.Spec.NodeName, common.Spec.EphemeralContainers, common.Spec.SchedulingGates = "", nil, nil
	size := common.Size()
	if cap(f.scratch) < size {
		f.scratch = make([]byte, size)
	}
	encoded := f.scratch[:size]
	if n, err := common.MarshalToSizedBuffer(encoded); err != nil || n != size {
		encoded = nil // It never fails: there is no interface in a pod.
	}
	return f.templates.of(maphash.Bytes(f.templates.seed, encoded), func() *template {
		t := &template{encoded: slices.Clone(encoded), known: *knownOf(&common.Spec), labels: common.Labels, likeness: likenessOf(f.templates.seed, common)}
		if owner != nil {
			t.owner, t.replicaSetHash = owner, common.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		}
		return t
	})
}

// podOf returns one of the template's pods, but for its status.
func (t *template) podOf(held *ledger.HeldPod) *corev1.Pod {
	p := &corev1.Pod{}
	if err := p.Unmarshal(t.encoded); err != nil {
		return &corev1.Pod{} // It never fails: it was encoded just so.
	}
	p.Name, p.UID, p.Spec.NodeName = held.Name(), held.UID(), held.NodeName
	if held.CreatedUnixSeconds != 0 {
		p.CreationTimestamp = metav1.Unix(held.CreatedUnixSeconds, 0)
	}
	return p
}
