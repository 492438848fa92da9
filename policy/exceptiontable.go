// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxReason is how long a reason may be, in runes: one line.
const maxReason = 200

func exceptionProperties() []property[Exception] {
	return []property[Exception]{
		{
			name: "name", kind: "text", required: true, meaning: "What annotations and sentences call the exception. Every exception has another one.",
			read: func(d *decoder, at place, e *Exception) { d.objectName(at, &e.Name) },
		},
		{
			name: "namespaces", kind: "list of names", meaning: "The namespaces of the pods; all, if absent.",
			read: func(d *decoder, at place, e *Exception) { e.Namespaces = notEmpty(d, at, d.words(at, wrongLabelName)) },
		},
		{
			name: "labels", kind: "label selector", meaning: "The labels of the pods themselves: `matchLabels` and `matchExpressions` as everywhere in Kubernetes; any, if absent.",
			read: func(d *decoder, at place, e *Exception) { d.podLabels(at, e) },
		},
		{
			name: "images", kind: "list of image names or patterns",
			meaning: "The images, written as in `images[].match`; any, if absent. Each image that the pod may have to pull must match one of them; images that are on every node that can take it need not.",
			read: func(d *decoder, at place, e *Exception) {
				e.Images = notEmpty(d, at, readList(d, at, d.imagePattern))
			},
		},
		{
			name: "allowance", kind: "quantity of bytes",
			meaning: "What a pod may need at most. It is held against the likely need on the node, of those that can take it, where the pod needs most; a size that nobody knows counts as none.",
			read:    func(d *decoder, at place, e *Exception) { d.size(at, &e.AllowanceBytes) },
		},
		{
			name: "reason", kind: "text", required: true, meaning: "Why there is the exception: one line.",
			read: func(d *decoder, at place, e *Exception) { d.reason(at, &e.Reason) },
		},
		{
			name: "until", kind: "date or time", required: true,
			meaning: "When it ends: `2026-12-31` is until the end of that day in UTC, `2026-12-31T18:00:00Z` until then. After it the exception does nothing, and is listed as expired.",
			read:    func(d *decoder, at place, e *Exception) { d.until(at, e) },
		},
	}
}

// exceptions leaves out an exception with a field that this version doesn't know, which may well narrow it: without that
// field it could let through what nobody excepted.
func (d *decoder) exceptions(at place) []Exception {
	seen := map[string]bool{}
	return readList(d, at, func(at place) (Exception, bool) {
		var e Exception
		mistakes, warnings := len(d.mistakes), len(d.warnings)
		readObject(d, at, &e, exceptionProperties())
		if seen[e.Name] {
			d.mistake(at, field.Duplicate(at.path.Child("name"), e.Name))
		}
		seen[e.Name] = e.Name != ""
		selects := len(e.Namespaces) > 0 || len(e.Images) > 0 || len(e.Labels.MatchLabels)+len(e.Labels.MatchExpressions) > 0
		if !selects && len(d.mistakes) == mistakes {
			d.mistake(at, field.Required(at.path, "must say for which pods it is: give namespaces, labels or images"))
		}
		if len(d.warnings) > warnings {
			d.warnings = append(d.warnings, fmt.Sprintf("line %d: %s is left out, because what is not known may narrow it", at.node.Line, at.path))
			return e, false
		}
		return e, true
	})
}

// notEmpty reports an empty list: one can't tell whether it means none or all.
func notEmpty[T any](d *decoder, at place, list []T) []T {
	if len(at.node.Content) == 0 && !d.mistaken(at.path.String()) {
		d.invalid(at, "must not be empty: leave the field out for all of them")
	}
	return list
}

func (d *decoder) podLabels(at place, into *Exception) {
	selector, compiled, ok := d.selector(at)
	switch {
	case !ok:
	case compiled.Empty():
		d.invalid(at, "must not be empty: leave the field out for all of them")
	default:
		into.Labels, into.compiled = selector, compiled
	}
}

func (d *decoder) reason(at place, into *string) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	text = strings.TrimSpace(text)
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case text == "":
		d.invalid(at, "must say why there is the exception")
	case utf8.RuneCountInString(text) > maxReason:
		d.invalid(at, fmt.Sprintf("must be at most %d characters", maxReason))
	case strings.ContainsFunc(text, unprintable):
		d.invalid(at, "must be one line of text")
	default:
		*into = text
	}
}

func (d *decoder) until(at place, into *Exception) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		into.Until, into.UntilText = day.AddDate(0, 0, 1), text
		return
	}
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		d.invalid(at, "must be a date such as 2026-12-31, which is until the end of that day in UTC, or a time such as 2026-12-31T18:00:00Z")
		return
	}
	into.Until, into.UntilText = moment.UTC(), text
}
