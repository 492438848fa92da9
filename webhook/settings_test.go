// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
)

// noWorkloads is a cluster with the policy p in force and nothing that runs.
func noWorkloads(p *policy.Policy) Cluster {
	return Cluster{
		Policy:    func() *policy.Policy { return p },
		Workloads: func(string) []Workload { return nil },
		Freeze: func() func(fit.Request, *policy.Policy) fit.Decision {
			return func(fit.Request, *policy.Policy) fit.Decision { return fit.Decision{} }
		},
	}
}

func withMode(mode policy.Mode) *policy.Policy {
	p := policy.Default()
	p.Mode = mode
	return p
}

const policyHead = "apiVersion: headroom.dev/v1alpha1\nkind: Policy\n"

// policyMap is the policy's ConfigMap with a text, without the key for "-".
func policyMap(text string) *corev1.ConfigMap {
	c := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: policy.Namespace, Name: policy.ConfigMapName}}
	if text != "-" {
		c.Data = map[string]string{policy.ConfigMapKey: text}
	}
	return c
}

func namespaceOf(name string, labels ...string) *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "a"}}}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		n.Labels[key] = value
	}
	return n
}

// setting is a request about an object: created where it was nothing before, deleted where it is nothing after.
func setting(t testing.TB, before, after runtime.Object, change ...func(*admissionv1.AdmissionRequest)) []byte {
	t.Helper()
	req := &admissionv1.AdmissionRequest{UID: requestUID, Operation: admissionv1.Update}
	for _, side := range []struct {
		object  runtime.Object
		raw     *[]byte
		without admissionv1.Operation
	}{{before, &req.OldObject.Raw, admissionv1.Create}, {after, &req.Object.Raw, admissionv1.Delete}} {
		switch o := side.object.(type) {
		case *corev1.ConfigMap:
			req.Kind, req.Resource = metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, metav1.GroupVersionResource{Version: "v1", Resource: "configmaps"}
			req.Namespace, req.Name = o.Namespace, o.Name
		case *corev1.Namespace:
			req.Kind, req.Resource = metav1.GroupVersionKind{Version: "v1", Kind: "Namespace"}, metav1.GroupVersionResource{Version: "v1", Resource: "namespaces"}
			req.Namespace, req.Name = o.Name, o.Name
		case nil:
			req.Operation = side.without
			continue
		}
		raw, err := json.Marshal(side.object)
		if err != nil {
			t.Fatal(err)
		}
		*side.raw = raw
	}
	for _, f := range change {
		f(req)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: req})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// postSetting sends a review and holds the answer against what the API server lets through.
func postSetting(t testing.TB, h http.Handler, body []byte, timeout string) *admissionv1.AdmissionResponse {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodPost, PolicyPath+"?timeout="+timeout, bytes.NewReader(body)))
	if recorder.Code != http.StatusOK {
		t.Fatalf("HTTP status %d, want 200: %s", recorder.Code, recorder.Body)
	}
	r := decodeAnswer(t, recorder.Body.Bytes())
	runes := 0
	for _, w := range r.Warnings {
		oneLineOrError(t, "warning", w)
		runes += utf8.RuneCountInString(w)
	}
	if runes > 4096 {
		t.Errorf("the warnings have %d characters in all: the API server cuts beyond 4096", runes)
	}
	for key, value := range r.AuditAnnotations {
		oneLineOrError(t, "audit annotation "+key, value)
	}
	if r.Allowed == (r.Result != nil) {
		t.Fatalf("allowed is %v with the result %v", r.Allowed, r.Result)
	}
	if r.Allowed {
		return r
	}
	s := r.Result
	if s.Code != http.StatusUnprocessableEntity || s.Reason != metav1.StatusReasonInvalid || s.Details == nil || s.Details.Name == "" || len(s.Details.Causes) == 0 {
		t.Errorf("result is %+v, want 422 Invalid with causes", s)
	}
	if strings.ContainsFunc(s.Message, unicode.IsControl) || utf8.RuneCountInString(s.Message) > maxRefusalRunes {
		t.Errorf("the refusal is not one line of at most %d characters: %q", maxRefusalRunes, s.Message)
	}
	return r
}

// TestSettings is about what is refused, and what is said about what is not, where nothing runs.
func TestSettings(t *testing.T) {
	valid, broken := policyHead+"mode: Enforce\n", policyHead+"denyAt: Never\n"
	enforce := "headroom.dev/mode=Enforce"
	ended := policyHead + "exceptions: [{name: old, namespaces: [a], reason: migration, until: '2020-01-01'}]\n"
	const label = "image storage: label headroom.dev/mode"
	type answer struct {
		Refused  string
		Warnings []string
	}
	for name, test := range map[string]struct {
		inForce       *policy.Policy
		before, after runtime.Object
		want          answer
	}{
		"a valid policy":   {after: policyMap(valid)},
		"an empty one":     {after: policyMap("")},
		"one that changes": {before: policyMap(""), after: policyMap(valid)},
		"a broken one that is mended, whatever is in force": {inForce: withMode(policy.Audit), before: policyMap("mode: ["), after: policyMap(valid)},
		"a mistake": {before: policyMap(valid), after: policyMap(broken), want: answer{
			Refused: `policy not valid: line 3: denyAt: Unsupported value: "Never": supported values: "TriggersGC", "PressuresDisk", "EvictsPods", "FillsDisk", "NeverFits"`,
		}},
		"two mistakes": {after: policyMap(policyHead + "mod: Off\nsafetyMargin: 200%\n"), want: answer{
			Refused: `policy not valid: line 3: mod: Forbidden: is not a field of the policy: use one of `,
		}},
		"no YAML":        {after: policyMap("mode: [Warn\n"), want: answer{Refused: "policy not valid: not YAML: line 1: "}},
		"a misspelt key": {after: policyMap("-"), want: answer{Refused: `policy not valid: the ConfigMap has no key "policy.yaml": put the policy there`}},
		"the key taken away": {before: policyMap(valid), after: policyMap("-"), want: answer{
			Refused: `policy not valid: the ConfigMap has no key "policy.yaml": put the policy there, or delete the ConfigMap for the defaults`,
		}},
		"an invalid one whose text stays": {before: policyMap(broken), after: policyMap(broken), want: answer{
			Warnings: []string{`image storage: the policy is still not valid: line 3: denyAt: Unsupported value: "Never"`},
		}},
		"a valid one whose text stays": {before: policyMap(ended), after: policyMap(ended)},
		"deleted": {before: policyMap(valid), want: answer{
			Warnings: []string{"image storage: without the ConfigMap headroom-policy the defaults are in force, mode Warn"},
		}},
		"an exception that has ended": {after: policyMap(ended), want: answer{
			Warnings: []string{"image storage: exception old ended with 2020-01-01 and does nothing any more"},
		}},

		"a label":                 {before: namespaceOf("team-a"), after: namespaceOf("team-a", enforce)},
		"a label in another case": {before: namespaceOf("team-a"), after: namespaceOf("team-a", "headroom.dev/mode=enforce")},
		"a new namespace with it": {after: namespaceOf("team-a", enforce)},
		"a value that is no mode": {before: namespaceOf("team-a", enforce), after: namespaceOf("team-a", "headroom.dev/mode=Sometimes"), want: answer{
			Refused: `label headroom.dev/mode="Sometimes" is no mode: use one of Off, Audit, Warn, Enforce, or remove the label`,
		}},
		"in a new namespace":          {after: namespaceOf("team-a", "headroom.dev/mode=Sometimes"), want: answer{Refused: `label headroom.dev/mode="Sometimes" is no mode`}},
		"no value":                    {after: namespaceOf("team-a", "headroom.dev/mode="), want: answer{Refused: `label headroom.dev/mode="" is no mode`}},
		"a value that is no mode yet": {before: namespaceOf("team-a", "headroom.dev/mode=Sometimes"), after: namespaceOf("team-a", "headroom.dev/mode=Sometimes", "team=b")},
		"kept while another label of ours comes": {
			before: namespaceOf("kube-system", "headroom.dev/mode=Sometimes"), after: namespaceOf("kube-system", "headroom.dev/mode=Sometimes", "headroom.dev/x=1"),
			want: answer{Warnings: []string{"image storage: label headroom.dev/x is not known and does nothing"}},
		},
		"taken away":       {before: namespaceOf("team-a", "headroom.dev/mode=Sometimes"), after: namespaceOf("team-a")},
		"that is mistaken": {before: namespaceOf("team-a"), after: namespaceOf("team-a", "headroom.dev/mod=Warn"), want: answer{Warnings: []string{"image storage: label headroom.dev/mod is not known"}}},
		"that is not followed": {
			inForce: withMode(policy.Enforce), before: namespaceOf("team-a"), after: namespaceOf("team-a", "headroom.dev/mode=Audit"),
			want: answer{Warnings: []string{label + "=Audit is not followed: the policy's mode is Enforce"}},
		},
		"while the policy is off": {
			inForce: withMode(policy.Off), before: namespaceOf("team-a"), after: namespaceOf("team-a", enforce),
			want: answer{Warnings: []string{label + " does nothing: the policy's mode is Off"}},
		},
		"in a namespace that the policy exempts": {
			before: namespaceOf("kube-public"), after: namespaceOf("kube-public", enforce),
			want: answer{Warnings: []string{label + " does nothing: pods of namespace kube-public are never judged"}},
		},
		"in Headroom's own namespace": {
			after: namespaceOf("headroom-system", enforce),
			want:  answer{Warnings: []string{label + " does nothing: pods of namespace headroom-system are never judged"}},
		},
		"no mode in kube-system is none either": {after: namespaceOf("kube-system", "headroom.dev/mode=x"), want: answer{Refused: `label headroom.dev/mode="x" is no mode`}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.inForce == nil {
				test.inForce = policy.Default()
			}
			m := NewMetrics(nil)
			r := postSetting(t, NewPolicy(HandlerOptions{Metrics: m}, noWorkloads(test.inForce)), setting(t, test.before, test.after), "2s")
			if r.Allowed != (test.want.Refused == "") || !r.Allowed && !strings.HasPrefix(r.Result.Message, test.want.Refused) {
				t.Fatalf("result is %v, want %q", r.Result, test.want.Refused)
			}
			if len(r.Warnings) != len(test.want.Warnings) {
				t.Fatalf("warnings %q, want %q", r.Warnings, test.want.Warnings)
			}
			for i, w := range test.want.Warnings {
				if !strings.HasPrefix(r.Warnings[i], w) {
					t.Errorf("warning %q, want %q", r.Warnings[i], w)
				}
			}
			kind, action, count := policySetting, "Allow", settingAdmitted
			if _, isNamespace := test.after.(*corev1.Namespace); isNamespace {
				kind = namespaceSetting
			}
			if !r.Allowed {
				action, count = "Deny", settingRefused
			}
			if r.AuditAnnotations["action"] != action {
				t.Errorf("annotations %v, want action %s", r.AuditAnnotations, action)
			}
			if n := testutil.ToFloat64(m.settings.WithLabelValues(string(kind), count)); n != 1 {
				t.Errorf("settings_total{%s,%s} is %v, want 1", kind, count, n)
			}
		})
	}
}

// TestSettingsThatAreNotJudged: what should not be sent here is admitted, and counted.
func TestSettingsThatAreNotJudged(t *testing.T) {
	other := policyMap("mode: [")
	other.Name = "somebody-elses"
	elsewhere := policyMap("mode: [")
	elsewhere.Namespace = "team-a"
	invalid := namespaceOf("team-a", "headroom.dev/mode=Sometimes")
	for name, test := range map[string]struct {
		body   []byte
		reason fit.Reason
	}{
		"another ConfigMap":                   {setting(t, nil, other), Unexpected},
		"one of that name in another place":   {setting(t, nil, elsewhere), Unexpected},
		"a namespace that is deleted":         {setting(t, invalid, nil), Unexpected},
		"a subresource":                       {setting(t, nil, invalid, func(r *admissionv1.AdmissionRequest) { r.SubResource = "finalize" }), Unexpected},
		"something else":                      {setting(t, nil, invalid, func(r *admissionv1.AdmissionRequest) { r.Resource.Resource = "secrets" }), Unexpected},
		"a ConfigMap that can't be decoded":   {setting(t, nil, policyMap(""), func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(`{"data":7}`) }), Undecodable},
		"one that could not be before":        {setting(t, policyMap(""), policyMap(""), func(r *admissionv1.AdmissionRequest) { r.OldObject.Raw = []byte(`[]`) }), Undecodable},
		"a Namespace that can't be decoded":   {setting(t, nil, invalid, func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(`{"metadata":7}`) }), Undecodable},
		"a Namespace that could not be, once": {setting(t, invalid, invalid, func(r *admissionv1.AdmissionRequest) { r.OldObject.Raw = []byte(`7`) }), Undecodable},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics(nil)
			r := postSetting(t, NewPolicy(HandlerOptions{Metrics: m}, noWorkloads(policy.Default())), test.body, "2s")
			if !r.Allowed || r.AuditAnnotations["undecided"] != string(test.reason) {
				t.Errorf("response is %+v, want admitted for %s", r, test.reason)
			}
			counted(t, m, 1, policyLabel, string(test.reason))
		})
	}
}

func TestMistakesOfAPolicyAreListedForPrograms(t *testing.T) {
	r := postSetting(t, NewPolicy(HandlerOptions{}, noWorkloads(policy.Default())), setting(t, nil, policyMap(policyHead+"safetyMargin: 200%\nmode: Sometimes\n")), "2s")
	want := &metav1.StatusDetails{Kind: "ConfigMap", Name: "headroom-policy", Causes: []metav1.StatusCause{
		{
			Type: "FieldValueInvalid", Field: "data[policy.yaml] safetyMargin",
			Message: `line 3: Invalid value: "200%": must be a percentage of at least 0% and less than 100%, such as 5%`,
		},
		{
			Type: "FieldValueNotSupported", Field: "data[policy.yaml] mode",
			Message: `line 4: Unsupported value: "Sometimes": supported values: "Off", "Audit", "Warn", "Enforce"`,
		},
	}}
	if diff := cmp.Diff(want, r.Result.Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

// TestARefusalStaysShort: a text may hold thousands of mistakes.
func TestARefusalStaysShort(t *testing.T) {
	var text strings.Builder
	text.WriteString(policyHead)
	for i := range 3000 {
		fmt.Fprintf(&text, "%s%d: {}\n", strings.Repeat("x", 50+i%200), i)
	}
	r := postSetting(t, NewPolicy(HandlerOptions{}, noWorkloads(policy.Default())), setting(t, nil, policyMap(text.String())), "2s")
	if r.Allowed || len(r.Result.Details.Causes) != maxCauses {
		t.Errorf("allowed: %v, %d causes, want %d", r.Allowed, len(r.Result.Details.Causes), maxCauses)
	}
}

// TestEndedExceptionsLeaveRoom: notes about the policy don't crowd out what it would do.
func TestEndedExceptionsLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := time.Now().AddDate(0, 0, -2).Format(time.DateOnly)
		text := policyHead + "exceptions: ["
		for name := range strings.FieldsSeq("a b c d e") {
			text = fmt.Sprintf("%s{name: %s, namespaces: [x], reason: r, until: '%s'}, ", text, name, ended)
		}
		text += "]\n"
		r := postSetting(t, NewPolicy(HandlerOptions{}, noWorkloads(policy.Default())), setting(t, nil, policyMap(text)), "2s")
		if len(r.Warnings) != 4 || r.Warnings[3] != "image storage: not shown: 2 more notes about the policy" {
			t.Errorf("warnings %q, want three and how many more there are", r.Warnings)
		}
	})
}
