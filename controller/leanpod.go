// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"hash/maphash"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

// leanPod is a Pod as an event brings it, of which nothing is decoded but which one it is. It is one for as long as it is read:
// nobody keeps it.
type leanPod struct {
	metav1.TypeMeta
	metav1.ObjectMeta // name, namespace, UID and resourceVersion

	encoded []byte
	// These are its parts.
	metadata, spec, status []byte
}

// newLeanPod returns nil for what has to be decoded as a whole.
func newLeanPod(encoded []byte) *leanPod {
	p := &leanPod{}
	if !p.read(encoded) {
		return nil
	}
	return p
}

// read makes it another pod. It is false for what has to be decoded as a whole: the end of a streaming list, which has no name, and
// messages in pieces.
func (p *leanPod) read(encoded []byte) bool {
	*p = leanPod{encoded: encoded}
	if !p.takeApart() {
		return false
	}
	for f := range fieldsOf(p.metadata) {
		switch f.number {
		case 1:
			p.Name = string(f.content)
		case 3:
			p.Namespace = string(f.content)
		case 5:
			p.UID = types.UID(f.content)
		case 6:
			p.ResourceVersion = string(f.content)
		}
	}
	return p.Name != "" && p.spec != nil && p.status != nil
}

// takeApart is false for what does not have each part at most once.
func (p *leanPod) takeApart() bool {
	for rest := p.encoded; len(rest) > 0; {
		f, whole := nextField(rest)
		if !whole || f.kind != wireBytes {
			return false
		}
		rest = rest[len(f.raw):]
		var part *[]byte
		switch f.number {
		case 1:
			part = &p.metadata
		case 2:
			part = &p.spec
		case 3:
			part = &p.status
		}
		if part == nil || *part != nil {
			return false
		}
		*part = f.content
	}
	return true
}

// DeepCopyObject implements [runtime.Object].
func (p *leanPod) DeepCopyObject() runtime.Object {
	c := *p
	return &c // Its bytes never change.
}

// whole decodes all of it.
func (p *leanPod) whole() (*corev1.Pod, error) {
	var whole corev1.Pod
	return &whole, whole.Unmarshal(p.encoded)
}

// leanRow is the row of a pod of which nothing is decoded that is known of its template.
func (f *podFeed) leanRow(p *leanPod) (ledger.Pod, error) {
	own := f.ownOf(p)
	if known, t := f.knownOf(&own); known != nil {
		row, err := f.rowOfKnown(p, &own, known)
		if t != nil && !row.Finished {
			row.Template = t
		}
		return row, err
	}
	whole, err := p.whole()
	if err != nil {
		return ledger.Pod{}, err
	}
	labels, owner := whole.Labels, controllerOf(whole)
	row := f.row(whole)
	t, has := row.Template.(*template)
	switch {
	case own.debugged || len(templateLabels(labels)) != len(labels):
	case has:
		f.byWire.keep(own.template, t)
	case tiedToNode(owner) && owner.Kind != "Node" && own.node != "": // Static pods name their node as their owner.
		f.tied.set(own.kind, knownOf(&slimPod(whole).Spec))
	}
	return row, nil
}

// knownOf returns what is known of a pod's spec, and its template where it has one; nil for what has to be decoded as a whole, also
// where nobody has asked yet where pods of the template may land.
func (f *podFeed) knownOf(own *podOwn) (*specKnown, *template) {
	if own.debugged {
		return nil, nil
	}
	if t := f.byWire.get(own.template); t != nil && (own.node != "" || t.known.constraints != nil) {
		return &t.known, t
	}
	if own.node == "" {
		return nil, nil
	}
	known, _ := f.tied.get(own.kind)
	return known, nil
}

// podOwn is what of a pod's spec is its own, or is asked about it alone.
type podOwn struct {
	// template is a hash of all else, and of its namespace, labels and owners: equal for pods of one template whose encoding is the
	// same, as it is from one API server.
	template uint64
	// kind is the same without the affinity, in which pods of a DaemonSet have their node. Where they can land, nobody asks.
	kind          uint64
	node          string
	priorityClass string
	gated         bool
	debugged      bool // it has ephemeral containers
}

func (f *podFeed) ownOf(p *leanPod) (own podOwn) {
	var h maphash.Hash
	h.SetSeed(f.templates.seed)
	for field := range fieldsOf(p.metadata) {
		switch field.number {
		case 3, 11, 13: // namespace, labels, ownerReferences
			_, _ = h.Write(field.raw)
		}
	}
	var affinity []byte
	for field := range fieldsOf(p.spec) {
		switch field.number {
		case 18:
			affinity = field.raw
		case 10:
			own.node = string(field.content)
		case 34: // ephemeralContainers
			own.debugged = true
		case 38: // schedulingGates
			own.gated = true
		case 24:
			own.priorityClass = string(field.content)
			fallthrough
		default:
			_, _ = h.Write(field.raw)
		}
	}
	own.kind = h.Sum64()
	_, _ = h.Write(affinity)
	own.template = h.Sum64()
	return own
}

// rowOfKnown is the row of a pod of whose spec all is known, without its template.
func (f *podFeed) rowOfKnown(p *leanPod, own *podOwn, known *specKnown) (ledger.Pod, error) {
	f.bare = corev1.Pod{}
	bare := &f.bare
	if err := errors.Join(bareMeta(&bare.ObjectMeta, p, own.node == ""), bare.Status.Unmarshal(p.status)); err != nil {
		return ledger.Pod{}, err
	}
	bare.Status.NominatedNodeName = clipped(bare.Status.NominatedNodeName, maxName)
	bare.Spec.NodeName, bare.Spec.PriorityClassName = own.node, own.priorityClass
	row := rowOf(bare, known, &f.ids)
	row.Gated = own.node == "" && own.gated
	return row, nil
}

// bareMeta decodes what a row has of a pod's metadata.
func bareMeta(m *metav1.ObjectMeta, p *leanPod, labelled bool) error {
	if labelled {
		return m.Unmarshal(p.metadata)
	}
	m.Name, m.Namespace, m.UID = p.Name, p.Namespace, p.UID
	for field := range fieldsOf(p.metadata) {
		switch field.number {
		case 8:
			if err := m.CreationTimestamp.Unmarshal(field.content); err != nil {
				return err
			}
		case 9:
			m.DeletionTimestamp = new(metav1.Time)
			if err := m.DeletionTimestamp.Unmarshal(field.content); err != nil {
				return err
			}
		}
	}
	return nil
}
