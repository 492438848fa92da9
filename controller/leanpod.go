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
	if row, usual, err := f.usualRow(p, &own); usual || err != nil {
		return row, err
	}
	whole, err := p.whole()
	if err != nil {
		return ledger.Pod{}, err
	}
	owner := controllerOf(whole)
	row := f.row(whole)
	t, has := row.Template.(*template)
	switch {
	case own.debugged:
	case has:
		f.byWire.keep(own.template, t)
	case tiedToNode(owner) && owner.Kind != "Node" && own.node != "": // Static pods name their node as their owner.
		f.tied.set(own.tied, knownOf(&slimPod(whole).Spec))
	}
	return row, nil
}

// usualRow is the row of a pod of a template that is known, or of one that is made for its node and bound to it. It is false for
// others.
func (f *podFeed) usualRow(p *leanPod, own *podOwn) (row ledger.Pod, usual bool, err error) {
	if own.debugged {
		return ledger.Pod{}, false, nil
	}
	if t := f.byWire.get(own.template); t != nil {
		if row, usual, err = f.rowBySpec(p, own, &t.known, t.labels); !row.Finished {
			row.Template = t
		}
		return row, usual, err
	}
	if own.node == "" {
		return ledger.Pod{}, false, nil
	}
	if known, found := f.tied.get(own.tied); found {
		return f.rowBySpec(p, own, known, nil)
	}
	return ledger.Pod{}, false, nil
}

// podOwn is what of a pod's spec is its own, or is asked about it alone.
type podOwn struct {
	// template is a hash of all else, and of its namespace, labels and owners: equal for pods of one template whose encoding is the
	// same, as it is from one API server.
	template uint64
	// tied is the same without what says to which node a pod of a DaemonSet has to go.
	tied          uint64
	node          string
	priorityClass string
	gated         bool
	debugged      bool // it has ephemeral containers
	numbered      bool // it has labels that no other of its template has
}

func (f *podFeed) ownOf(p *leanPod) (own podOwn) {
	var h maphash.Hash
	h.SetSeed(f.templates.seed)
	for field := range fieldsOf(p.metadata) {
		switch field.number {
		case 11: // labels
			if key, whole := nextField(field.content); whole && isNumber(string(key.content)) {
				own.numbered = true
				continue
			}
			fallthrough
		case 3, 13: // namespace, ownerReferences
			_, _ = h.Write(field.raw)
		}
	}
	var affinity []byte
	for field := range fieldsOf(p.spec) {
		switch field.number {
		case 10:
			own.node = string(field.content)
		case 18:
			affinity = field.raw
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
	own.tied = h.Sum64()
	_, _ = h.Write(affinity)
	own.template = h.Sum64()
	return own
}

// rowBySpec is the row of a pod whose spec is known, and its labels, unless it has some of its own, without its template. It is false
// where nobody has asked yet where such pods may land.
func (f *podFeed) rowBySpec(p *leanPod, own *podOwn, known *specKnown, labels map[string]string) (row ledger.Pod, usual bool, err error) {
	waits := own.node == ""
	if waits && known.constraints == nil {
		return ledger.Pod{}, false, nil
	}
	f.bare = corev1.Pod{}
	bare := &f.bare
	if err := errors.Join(bareMeta(&bare.ObjectMeta, p, waits && own.numbered), bare.Status.Unmarshal(p.status)); err != nil {
		return ledger.Pod{}, false, err
	}
	bare.Status.NominatedNodeName = clipped(bare.Status.NominatedNodeName, maxName)
	bare.Spec.NodeName, bare.Spec.PriorityClassName = own.node, own.priorityClass
	if waits && !own.numbered {
		bare.Labels = labels
	}
	row = rowOf(bare, known, &f.ids)
	row.Gated = waits && own.gated
	return row, true, nil
}

// bareMeta decodes what a row has of a pod's metadata, its labels only where it is told to.
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
