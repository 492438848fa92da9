// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/verdict"
)

var update = flag.Bool("update", false, "write the golden files")

const head = "apiVersion: headroom.dev/v1alpha1\nkind: Policy\n"

func TestLoadOfNothingAndOfTheDefaultTextIsTheDefault(t *testing.T) {
	tests := map[string]string{
		"no text":                    "",
		"comments alone":             "# nothing\n",
		"null":                       "null\n",
		"an empty document":          "---\n",
		"what the manifests ship":    DefaultYAML,
		"nothing but what it is":     head,
		"nulls":                      head + "mode:\nnodePools: null\nexemptions: ~\nmessages: {numbers: null}\n",
		"an end and a new beginning": head + "...\n---\n",
		"JSON":                       `{"apiVersion": "headroom.dev/v1alpha1", "kind": "Policy", "mode": "Warn"}`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			got, warnings, err := Load([]byte(text), true)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("error %v, warnings %q", err, warnings)
			}
			if diff := cmp.Diff(Default(), got, fromAnyText); diff != "" {
				t.Errorf("(-default +loaded):\n%s", diff)
			}
		})
	}
}

func TestLoadEveryField(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "every-field.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got, warnings, err := Load(text, true)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	want := &Policy{
		Mode:               Off,
		NamespaceOverrides: OverridesAny,
		WarnAt:             verdict.TriggersGC,
		DenyAt:             verdict.NeverFits,
		SafetyMargin:       Margin{Percent: 2.5},
		MaxStaleness:       5 * time.Minute,
		Steer:              SteerOff,
		Exemptions:         Exemptions{Namespaces: []string{"123", "true"}},
		StartupTaints:      []string{"node.cilium.io/agent-not-ready", "example"},
		NodePools: []NodePool{
			{
				Name: "gpu",
				Selector: metav1.LabelSelector{
					MatchLabels:      map[string]string{"pool": "gpu", "on": "yes"},
					MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "zone", Operator: metav1.LabelSelectorOpIn, Values: []string{"a", "b"}}},
				},
				Elastic: ElasticFalse, ImageFilesystemBytes: 200 << 30, DiskFactor: &estimate.Factor{Low: 0, Likely: 0.5, High: 4.5},
			},
			{Name: "rest", Elastic: ElasticAuto},
		},
		Registries: []string{"registry.example.com:5000", "localhost"},
		Images: []ImageSize{
			{Match: "registry.example.com/models/*", SizeBytes: 40 << 30},
			{Match: "docker.io/library/nginx", SizeBytes: 200_000_000},
		},
		UnknownImage: UnknownImage{LikelyBytes: 1 << 30, HighBytes: 10 << 30},
		Exceptions: []Exception{
			{
				Name: "llm-move", Namespaces: []string{"ml", "123"},
				Labels: metav1.LabelSelector{
					MatchLabels:      map[string]string{"app": "llm"},
					MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"gold"}}},
				},
				Images:         []ImagePattern{{Text: "registry.example.com/models/*"}, {Text: "docker.io/library/nginx"}},
				AllowanceBytes: 40 << 30, Reason: "until the nodes have their new disks",
				Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), UntilText: "2026-12-31",
			},
			{
				Name: "to-the-second", Images: []ImagePattern{{Text: "*"}}, Reason: "a test",
				Until: time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC), UntilText: "2026-12-31T18:00:00+02:00",
			},
		},
		Workloads: []WorkloadKind{
			{
				Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout", Resource: "rollouts",
				Template: []string{"spec", "template"}, Replicas: []string{"spec", "replicas"},
			},
			{
				Group: "example.com", Version: "v1", Kind: "Fleet", Resource: "fleets",
				Template: []string{"spec", "worker_group", "podTemplate"}, Replicas: []string{"spec", "size"},
			},
		},
		Messages: Messages{NodeNames: true, Numbers: false},
	}
	if diff := cmp.Diff(want, got, fromAnyText); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLoadMistakes holds the whole error of each bad policy in testdata against the .golden file beside it.
func TestLoadOfAConfigMap(t *testing.T) {
	p, _, err := LoadConfigMap(map[string]string{ConfigMapKey: "apiVersion: headroom.dev/v1alpha1\nkind: Policy\nmode: Audit\n"}, true)
	if err != nil || p.Mode != Audit {
		t.Errorf("policy %+v, %v, want one of mode Audit", p, err)
	}
	for name, data := range map[string]map[string]string{"no data": nil, "a misspelt key": {"policy.yml": "mode: Off"}} {
		p, _, err := LoadConfigMap(data, false)
		if p != nil || err == nil || !strings.Contains(err.Error(), `has no key "policy.yaml"`) {
			t.Errorf("%s: policy %+v, %v, want the key to be missed", name, p, err)
		}
	}
}

func TestLoadMistakes(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "bad-*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, _, err := Load(text, true)
			if err == nil || p != nil {
				t.Fatalf("policy %v, error %v", p, err)
			}
			got := strings.ReplaceAll(err.Error(), "; line", ";\nline") + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadUnknownFieldsAtRunTime(t *testing.T) {
	text := head + "mode: Audit\nfuture: {a: [1]}\nnodePools:\n- name: a\n  selector: {}\n  colour: red\n"
	p, warnings, err := Load([]byte(text), false)
	if err != nil {
		t.Fatal(err)
	}
	if p.Mode != Audit || len(p.NodePools) != 1 {
		t.Errorf("what is known was not taken: %+v", p)
	}
	want := []string{
		"line 4: future is not known to this version and is ignored",
		"line 8: nodePools[0].colour is not known to this version and is ignored",
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if p, _, err := Load([]byte(text), true); err == nil {
		t.Errorf("strictly, it is %+v", p)
	}
}

// What is not known may narrow an exception: without it, it could let through more than anybody wanted.
func TestLoadLeavesOutAnExceptionWithAnUnknownField(t *testing.T) {
	text := head + `exceptions:
- {name: newer, namespaces: [ml], users: [me], reason: x, until: 2026-12-31}
- {name: known, namespaces: [ml], reason: x, until: 2026-12-31}
`
	p, warnings, err := Load([]byte(text), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Exceptions) != 1 || p.Exceptions[0].Name != "known" {
		t.Errorf("in force: %+v", p.Exceptions)
	}
	want := []string{
		"line 4: exceptions[0].users is not known to this version and is ignored",
		"line 4: exceptions[0] is left out, because what is not known may narrow it",
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestInvalidErrorListsFields(t *testing.T) {
	_, _, err := Load([]byte(head+"mode: Nope\nsteer: Nope\n"), true)
	var invalid *InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("%T: %v", err, err)
	}
	var got []string
	for _, e := range invalid.List() {
		got = append(got, e.Field)
	}
	if diff := cmp.Diff([]string{"mode", "steer"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestErrorStaysShort(t *testing.T) {
	var text bytes.Buffer
	text.WriteString(head)
	for i := range 5000 {
		fmt.Fprintf(&text, "%s%d: 1\n", strings.Repeat("x", 100), i)
	}
	_, _, err := Load(text.Bytes(), true)
	if err == nil || len(err.Error()) > 10_000 || !strings.HasSuffix(err.Error(), "; and 4980 more") {
		t.Errorf("%.300v", err)
	}
}

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(DefaultYAML))
	f.Add([]byte(head + "images: [{match: a, size: 1e999999999}]\n"))
	f.Add([]byte(head + "images: [{match: a, size: 1e99}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		strictly, warnings, err := Load(text, true)
		if (strictly == nil) == (err == nil) || len(warnings) > 0 {
			t.Fatalf("policy %v, error %v, warnings %q", strictly, err, warnings)
		}
		leniently, _, errLenient := Load(text, false)
		if err == nil && (errLenient != nil || !cmp.Equal(strictly, leniently)) {
			t.Errorf("leniently it is another policy (%v)", errLenient)
		}
		p := leniently
		if p == nil {
			return
		}
		if !p.DenyAt.AtLeast(p.WarnAt) || p.WarnAt == verdict.Fits || p.MaxStaleness <= 0 || p.SafetyMargin.Of(1000) < 0 || p.SafetyMargin.Of(1000) > 1000 {
			t.Errorf("%+v", p)
		}
		for _, pool := range p.NodePools {
			if pool.Name == "" || pool.compiled == nil || pool.DiskFactor != nil && !pool.DiskFactor.Valid() || pool.ImageFilesystemBytes < 0 {
				t.Errorf("%+v", pool)
			}
		}
		for _, image := range p.Images {
			if image.SizeBytes <= 0 || image.Match == "" || image.pattern.String() != image.Match {
				t.Errorf("%+v", image)
			}
		}
		for _, e := range p.Exceptions {
			if e.Name == "" || e.Reason == "" || e.Until.IsZero() || len(e.Namespaces)+len(e.Images) == 0 && e.compiled == nil {
				t.Errorf("%+v", e)
			}
		}
		for _, w := range p.Workloads {
			if w.Group == "" || w.Version == "" || w.Kind == "" || w.Resource == "" || len(w.Template) == 0 || len(w.Replicas) == 0 {
				t.Errorf("%+v", w)
			}
		}
		if size, ok := p.UnknownImage.Size(); ok && (size.Low != 0 || size.High <= 0) {
			t.Errorf("%+v", p.UnknownImage)
		}
		p.PoolOf(labels.Set{"a": "b"})
	})
}
