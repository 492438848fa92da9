// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/imageref"
)

const exceptionsText = head + `exceptions:
- {name: over, namespaces: [ml], reason: x, until: 2026-01-01}
- {name: ml, namespaces: [ml, ml-batch], allowance: 1Gi, reason: x, until: 2026-06-30}
- {name: models, images: [registry.example.com/models/*, istio/proxyv2], reason: x, until: "2026-06-30T12:00:00Z"}
- name: all-three
  namespaces: [web]
  labels: {matchLabels: {app: llm}, matchExpressions: [{key: tier, operator: Exists}]}
  images: [nginx]
  reason: x
  until: 2026-06-30
`

func TestExceptionsFor(t *testing.T) {
	loaded, _, err := Load([]byte(exceptionsText), true)
	if err != nil {
		t.Fatal(err)
	}
	var literal Policy
	for _, e := range loaded.Exceptions {
		copied := Exception{Name: e.Name, Namespaces: e.Namespaces, Labels: e.Labels, Until: e.Until}
		for _, p := range e.Images {
			copied.Images = append(copied.Images, ImagePattern{Text: p.Text})
		}
		literal.Exceptions = append(literal.Exceptions, copied)
	}
	llm := map[string]string{"app": "llm", "tier": "gold"}
	noon := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		namespace string
		labels    map[string]string
		images    []string
		now       time.Time
		want      string
	}{
		"a namespace, after another exception's end": {"ml", nil, []string{"nginx"}, noon, "ml"},
		"the second namespace":                       {"ml-batch", nil, nil, noon, "ml"},
		"another namespace":                          {"web", nil, []string{"nginx"}, noon, ""},
		"an image, until a moment":                   {"web", nil, []string{"registry.example.com/models/a:1"}, noon.Add(-1), "models"},
		"an image, at that moment":                   {"web", nil, []string{"registry.example.com/models/a:1"}, noon, ""},
		"every image matches some pattern":           {"x", nil, []string{"registry.example.com/models/a:1", "istio/proxyv2:1.29"}, noon.Add(-1), "models"},
		"one image matches no pattern":               {"x", nil, []string{"registry.example.com/models/a:1", "nginx"}, noon.Add(-1), ""},
		"no image at all":                            {"x", nil, nil, noon.Add(-1), ""},
		"two exceptions, in the policy's order":      {"ml", nil, []string{"registry.example.com/models/a:1"}, noon.Add(-1), "ml models"},
		"all selectors match":                        {"web", llm, []string{"nginx:1"}, noon, "all-three"},
		"the namespace doesn't":                      {"other", llm, []string{"nginx:1"}, noon, ""},
		"the labels don't":                           {"web", map[string]string{"app": "llm"}, []string{"nginx:1"}, noon, ""},
		"the images don't":                           {"web", llm, []string{"nginx:1", "redis"}, noon, ""},
		"the last moment of a day":                   {"web", llm, []string{"nginx:1"}, noon.Add(12*time.Hour - 1), "all-three"},
		"the first moment of the next":               {"web", llm, []string{"nginx:1"}, noon.Add(12 * time.Hour), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var refs []imageref.Ref
			for _, image := range tt.images {
				ref, err := imageref.Parse(image)
				if err != nil {
					t.Fatal(err)
				}
				refs = append(refs, ref)
			}
			for kind, p := range map[string]*Policy{"loaded": loaded, "literal": &literal} {
				if got := namesOf(p.ExceptionsFor(tt.namespace, tt.labels, refs, tt.now)); got != tt.want {
					t.Errorf("%s: got %q, want %q", kind, got, tt.want)
				}
			}
		})
	}
}

func TestCovers(t *testing.T) {
	tests := map[string]struct {
		allowance, need int64
		want            bool
	}{
		"no limit":      {0, 1 << 60, true},
		"the allowance": {10, 10, true},
		"a byte more":   {10, 11, false},
		"nothing":       {10, 0, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (&Exception{AllowanceBytes: tt.allowance}).Covers(tt.need); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// An end that is past is no mistake: the policy stays valid when the day comes.
func TestExpiredExceptionsAreListed(t *testing.T) {
	p, warnings, err := Load([]byte(exceptionsText), true)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	if got := namesOf(p.Expired(now)); got != "over models" {
		t.Errorf("expired: %s", got)
	}
	want := []string{
		"exception over ended with 2026-01-01 and does nothing any more: remove it or give it another end",
		"exception models ended with 2026-06-30T12:00:00Z and does nothing any more: remove it or give it another end",
	}
	if diff := cmp.Diff(want, p.Notes(now)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if notes := p.Notes(time.Time{}); len(notes) > 0 {
		t.Errorf("before any end: %q", notes)
	}
}

func namesOf(exceptions []*Exception) string {
	var all []string
	for _, e := range exceptions {
		all = append(all, e.Name)
	}
	return strings.Join(all, " ")
}

func TestLabelsThatExceptionsTreatAlike(t *testing.T) {
	p, _, err := Load([]byte(head+`exceptions:
- {name: web, labels: {matchLabels: {app: web}}, namespaces: [a], reason: r, until: 2026-02-01}
- {name: old, labels: {matchLabels: {app: old}}, reason: r, until: 2020-01-01}
`), true)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for about, c := range map[string]struct {
		namespace, before, after string
		want                     bool
	}{
		"one that is excepted": {"a", "web", "db", false}, "one that gets to be": {"a", "db", "web", false},
		"two that are not": {"a", "db", "cache", true}, "elsewhere": {"b", "web", "db", true}, "one that has expired": {"a", "old", "db", true},
	} {
		if got := p.TreatsAlike(c.namespace, map[string]string{"app": c.before}, map[string]string{"app": c.after}, now); got != c.want {
			t.Errorf("%s: treated alike: %v", about, got)
		}
	}
}
