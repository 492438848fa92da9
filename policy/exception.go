// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headroom-dev/headroom/imageref"
)

// Exception lets pods through that would be warned about or refused, for a reason and until a day. What selects pods narrows
// it: a pod has to match all of Namespaces, Labels and Images that are given, of which there is at least one.
type Exception struct {
	// Name is for annotations and sentences; unique in a policy.
	Name string
	// Namespaces are the names of the pods' namespaces; none stands for all.
	Namespaces []string
	// Labels finds pods by their own labels. An empty one finds all.
	Labels metav1.LabelSelector
	// Images are patterns; none stands for every image. A pod matches where each image that it may have to pull matches one
	// of them: an image that is allowed must not bring another one along.
	Images []ImagePattern
	// AllowanceBytes is what a pod may need at most on a disk, 0 where there is no limit.
	AllowanceBytes int64
	// Reason says why, for whoever reads the policy.
	Reason string
	// Until is the first moment at which the exception does nothing any more; UntilText is how the policy says it.
	Until     time.Time
	UntilText string

	// compiled is Labels, nil in an exception that Load did not make.
	compiled labels.Selector
}

// Expired reports whether the exception does nothing any more.
func (e *Exception) Expired(now time.Time) bool { return !now.Before(e.Until) }

// Covers reports whether a pod that needs this many bytes stays within the allowance.
func (e *Exception) Covers(needBytes int64) bool {
	return e.AllowanceBytes <= 0 || needBytes <= e.AllowanceBytes
}

// Selects reports whether the exception is for a pod of this namespace, with these labels, that may have to pull these
// images. Neither its end nor its allowance is looked at.
func (e *Exception) Selects(namespace string, podLabels map[string]string, images []imageref.Ref) bool {
	if len(e.Namespaces) > 0 && !slices.Contains(e.Namespaces, namespace) {
		return false
	}
	return e.selectsLabels(podLabels) && e.selectsImages(images)
}

func (e *Exception) selectsLabels(podLabels map[string]string) bool {
	selector := e.compiled
	if selector == nil {
		compiled, err := metav1.LabelSelectorAsSelector(&e.Labels)
		if err != nil {
			return false
		}
		selector = compiled
	}
	return selector.Matches(labels.Set(podLabels))
}

func (e *Exception) selectsImages(images []imageref.Ref) bool {
	if len(e.Images) == 0 {
		return true
	}
	other := func(ref imageref.Ref) bool {
		return !slices.ContainsFunc(e.Images, func(p ImagePattern) bool { return p.Matches(ref) })
	}
	return len(images) > 0 && !slices.ContainsFunc(images, other)
}

// Equal reports whether two exceptions say the same.
func (e Exception) Equal(o Exception) bool {
	return e.Name == o.Name && slices.Equal(e.Namespaces, o.Namespaces) &&
		metav1.FormatLabelSelector(&e.Labels) == metav1.FormatLabelSelector(&o.Labels) &&
		slices.EqualFunc(e.Images, o.Images, ImagePattern.Equal) && e.AllowanceBytes == o.AllowanceBytes &&
		e.Reason == o.Reason && e.Until.Equal(o.Until) && e.UntilText == o.UntilText
}

// ExceptionsFor returns the exceptions that have not expired and select the pod, in the policy's order; see Selects. They
// must not be changed.
func (p *Policy) ExceptionsFor(namespace string, podLabels map[string]string, images []imageref.Ref, now time.Time) []*Exception {
	var found []*Exception
	for i := range p.Exceptions {
		if e := &p.Exceptions[i]; !e.Expired(now) && e.Selects(namespace, podLabels, images) {
			found = append(found, e)
		}
	}
	return found
}

// TreatsAlike reports whether the same exceptions that have not expired are for pods of a namespace with these labels and with
// those.
func (p *Policy) TreatsAlike(namespace string, these, those map[string]string, now time.Time) bool {
	return !slices.ContainsFunc(p.Exceptions, func(e Exception) bool {
		concerned := !e.Expired(now) && (len(e.Namespaces) == 0 || slices.Contains(e.Namespaces, namespace))
		return concerned && e.selectsLabels(these) != e.selectsLabels(those)
	})
}

// Expired returns the exceptions that do nothing any more, in the policy's order. They must not be changed.
func (p *Policy) Expired(now time.Time) []*Exception {
	var expired []*Exception
	for i := range p.Exceptions {
		if e := &p.Exceptions[i]; e.Expired(now) {
			expired = append(expired, e)
		}
	}
	return expired
}

// Notes returns what whoever keeps a valid policy should know about it at this time, one sentence each.
func (p *Policy) Notes(now time.Time) []string {
	var notes []string
	for _, e := range p.Expired(now) {
		notes = append(notes, fmt.Sprintf("exception %s ended with %s and does nothing any more: remove it or give it another end", shorten(e.Name), e.UntilText))
	}
	return notes
}
