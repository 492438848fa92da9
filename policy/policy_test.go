// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
)

func TestModeFor(t *testing.T) {
	const (
		milder = "label headroom.dev/mode=Audit is not followed: the policy's mode is Warn and its namespaceOverrides allow stricter ones only"
		none   = "label headroom.dev/mode=Enforce is not followed: the policy's namespaceOverrides are None"
		wrong  = `label headroom.dev/mode="on" is not followed: use one of Off, Audit, Warn, Enforce`
	)
	tests := map[string]struct {
		mode      Mode
		overrides Overrides
		label     string
		want      Mode
		wantErr   string
	}{
		"no label":                      {Warn, OverridesAny, "", Warn, ""},
		"off wins":                      {Off, OverridesAny, "Enforce", Off, ""},
		"off wins over nonsense":        {Off, OverridesAny, "on", Off, ""},
		"tighten to stricter":           {Warn, OverridesTighten, "Enforce", Enforce, ""},
		"tighten to the same":           {Warn, OverridesTighten, "Warn", Warn, ""},
		"tighten never loosens":         {Warn, OverridesTighten, "Audit", Warn, milder},
		"any loosens":                   {Enforce, OverridesAny, "Off", Off, ""},
		"any tightens":                  {Audit, OverridesAny, "Enforce", Enforce, ""},
		"none ignores":                  {Warn, OverridesNone, "Enforce", Warn, none},
		"none that changes nothing":     {Warn, OverridesNone, "Warn", Warn, ""},
		"letter case of a label":        {Warn, OverridesTighten, "enforce", Enforce, ""},
		"a label that is no mode":       {Warn, OverridesAny, "on", Warn, wrong},
		"overrides of a zero policy":    {Warn, "", "Audit", Warn, "label headroom.dev/mode=Audit is not followed: the policy's namespaceOverrides are "},
		"a stricter label than Enforce": {Enforce, OverridesTighten, "Enforce", Enforce, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := &Policy{Mode: tt.mode, NamespaceOverrides: tt.overrides}
			got, err := p.ModeFor(tt.label)
			said := ""
			if err != nil {
				said = err.Error()
			}
			if got != tt.want || said != tt.wantErr {
				t.Errorf("got  %s, %s\nwant %s, %s", got, said, tt.want, tt.wantErr)
			}
		})
	}
}

func TestCheckModeLabel(t *testing.T) {
	for _, valid := range []string{"Off", "Audit", "Warn", "Enforce", "enforce"} {
		if err := CheckModeLabel(valid); err != nil {
			t.Errorf("%s: %v", valid, err)
		}
	}
	for value, want := range map[string]string{
		"on": `label headroom.dev/mode="on" is no mode: use one of Off, Audit, Warn, Enforce, or remove the label`,
		"":   `label headroom.dev/mode="" is no mode: use one of Off, Audit, Warn, Enforce, or remove the label`,
	} {
		if err := CheckModeLabel(value); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestModesAreInOrder(t *testing.T) {
	all := Modes()
	for i, m := range all {
		for j, o := range all {
			if m.StricterThan(o) != (i > j) || m.AtLeast(o) != (i >= j) {
				t.Errorf("%s against %s: stricter %t, at least %t", m, o, m.StricterThan(o), m.AtLeast(o))
			}
		}
		if Mode("").AtLeast(m) || !m.StricterThan("") {
			t.Errorf("no mode is not milder than %s", m)
		}
	}
}

func TestSteers(t *testing.T) {
	want := map[Steer]map[Mode]bool{
		SteerOn:   {Off: false, Audit: true, Warn: true, Enforce: true},
		SteerOff:  {Off: false, Audit: false, Warn: false, Enforce: false},
		SteerAuto: {Off: false, Audit: false, Warn: false, Enforce: true},
		"":        {Off: false, Audit: false, Warn: false, Enforce: false},
	}
	for steer, modes := range want {
		for mode, want := range modes {
			if got := (&Policy{Steer: steer}).Steers(mode); got != want {
				t.Errorf("%q in %s: %t, want %t", steer, mode, got, want)
			}
		}
	}
}

func TestSteersSomewhere(t *testing.T) {
	cases := map[string]struct {
		policy Policy
		want   bool
	}{
		"off":                                {Policy{Mode: Enforce, Steer: SteerOff, NamespaceOverrides: OverridesAny}, false},
		"the mode is Off":                    {Policy{Mode: Off, Steer: SteerOn, NamespaceOverrides: OverridesAny}, false},
		"on":                                 {Policy{Mode: Audit, Steer: SteerOn, NamespaceOverrides: OverridesNone}, true},
		"Auto in Enforce":                    {Policy{Mode: Enforce, Steer: SteerAuto, NamespaceOverrides: OverridesNone}, true},
		"Auto in Warn":                       {Policy{Mode: Warn, Steer: SteerAuto, NamespaceOverrides: OverridesNone}, false},
		"Auto where a namespace may tighten": {Policy{Mode: Warn, Steer: SteerAuto, NamespaceOverrides: OverridesTighten}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.policy.SteersSomewhere(); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestExempt(t *testing.T) {
	tests := map[string]struct{ namespace, class, want string }{
		"a system namespace":      {"kube-system", "", "namespace"},
		"a system priority class": {"default", "system-node-critical", "priorityClass"},
		"both":                    {"kube-system", "system-node-critical", "namespace"},
		"neither":                 {"default", "high", ""},
		"no priority class":       {"default", "", ""},
	}
	p := Default()
	p.Exemptions.PriorityClasses = append(p.Exemptions.PriorityClasses, "")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			reason, exempt := p.Exempt(tt.namespace, tt.class)
			if reason != tt.want || exempt != (tt.want != "") {
				t.Errorf("got %q, %t, want %q", reason, exempt, tt.want)
			}
		})
	}
}

func TestPoolOf(t *testing.T) {
	text := head + `nodePools:
- {name: gpu, selector: {matchLabels: {pool: gpu}}}
- {name: big, selector: {matchExpressions: [{key: size, operator: In, values: [l, xl]}]}}
- {name: pooled, selector: {matchExpressions: [{key: pool, operator: Exists}]}}
`
	loaded, _, err := Load([]byte(text), true)
	if err != nil {
		t.Fatal(err)
	}
	var literal Policy
	for _, pool := range loaded.NodePools {
		literal.NodePools = append(literal.NodePools, NodePool{Name: pool.Name, Selector: pool.Selector})
	}
	tests := map[string]struct {
		labels map[string]string
		want   string
	}{
		"the first of two":       {map[string]string{"pool": "gpu", "size": "l"}, "gpu"},
		"an expression":          {map[string]string{"pool": "x", "size": "xl"}, "big"},
		"the last":               {map[string]string{"pool": "x"}, "pooled"},
		"none":                   {map[string]string{"size": "s"}, ""},
		"no labels at all":       {nil, ""},
		"a label's value counts": {map[string]string{"size": "L"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for kind, p := range map[string]*Policy{"loaded": loaded, "literal": &literal} {
				got := ""
				if pool := p.PoolOf(labels.Set(tt.labels)); pool != nil {
					got = pool.Name
				}
				if got != tt.want {
					t.Errorf("%s: got %q, want %q", kind, got, tt.want)
				}
			}
		})
	}
	all := Policy{NodePools: []NodePool{
		{Name: "wrong", Selector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Nope"}}}},
		{Name: "all"},
	}}
	if got := all.PoolOf(labels.Set(nil)); got == nil || got.Name != "all" {
		t.Errorf("an empty selector finds %v, want all", got)
	}
}

func TestSizeOf(t *testing.T) {
	loaded, _, err := Load([]byte(head+`images:
- {match: registry.example.com/models/small-*, size: 1Gi}
- {match: registry.example.com/models/*, size: 40Gi}
- {match: nginx, size: 200Mi}
`), true)
	if err != nil {
		t.Fatal(err)
	}
	literal := Policy{Images: []ImageSize{{Match: "not a pattern"}}}
	for _, image := range loaded.Images {
		literal.Images = append(literal.Images, ImageSize{Match: image.Match, SizeBytes: image.SizeBytes})
	}
	tests := map[string]struct {
		image string
		want  int64
	}{
		"the first of two": {"registry.example.com/models/small-one:v1", 1 << 30},
		"a star":           {"registry.example.com/models/a/b", 40 << 30},
		"a short name":     {"docker.io/nginx:1.29", 200 << 20},
		"none":             {"registry.example.com/other", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref, err := imageref.Parse(tt.image)
			if err != nil {
				t.Fatal(err)
			}
			for kind, p := range map[string]*Policy{"loaded": loaded, "literal": &literal} {
				got, found := p.SizeOf(ref)
				if got.SizeBytes != tt.want || found != (tt.want != 0) {
					t.Errorf("%s: got %+v, %t, want %d", kind, got, found, tt.want)
				}
			}
		})
	}
}

func TestUnknownImageSize(t *testing.T) {
	if size, ok := (UnknownImage{}).Size(); ok {
		t.Errorf("unknown is %s", size)
	}
	size, ok := UnknownImage{LikelyBytes: 5, HighBytes: 10}.Size()
	if want := estimate.Between(0, 5, 10); !ok || size != want {
		t.Errorf("got %#v, want %#v", size, want)
	}
}

func TestMarginOf(t *testing.T) {
	tests := map[float64]int64{0: 0, 5: 50, 2.5: 25, 0.06: 1}
	for percent, want := range tests {
		if got := (Margin{Percent: percent}).Of(1000); got != want {
			t.Errorf("%g%% of 1000 is %d, want %d", percent, got, want)
		}
	}
}
