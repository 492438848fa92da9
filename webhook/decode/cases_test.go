// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestWhatIsRead: what API servers write is read, and what is out of the ordinary is left to the typed decoder.
func TestWhatIsRead(t *testing.T) {
	container := func(fields string) string { return `{"spec":{"containers":[{` + fields + `}]}}` }
	for name, tc := range map[string]struct {
		text string
		read bool
	}{
		"nothing":              {`{}`, true},
		"null everywhere":      {`{"metadata":null,"spec":{"containers":null,"volumes":[null,{"image":null}],"nodeName":null}}`, true},
		"empty lists and maps": {`{"metadata":{"labels":{}},"spec":{"containers":[],"nodeSelector":{}}}`, true},
		"space":                {" {\n\t\"spec\" : { \"nodeName\" :\r\"a\" } } ", true},
		"unknown fields":       {container(`"image":"a","new":{"deep":[1,2.5e3,null,true,"\u00e9\\"]}`), true},
		"a name in another case, which is unknown": {container(`"Image":7,"image":"a"`), true},
		"escapes where nothing is needed":          {container(`"image":"a","command":["\u003ca\u003e\"","é"]`), true},
		"an unneeded field that comes twice":       {container(`"image":"a","livenessProbe":{"periodSeconds":1},"livenessProbe":null`), true},
		"quantities of all sorts":                  {container(`"resources":{"requests":{"cpu":"0.5","memory":1e9},"limits":{"cpu":2,"memory":"1.5Gi","x":"1000000000000"}}`), true},
		"times":                                    {`{"metadata":{"creationTimestamp":"2026-02-28T23:59:59Z","deletionTimestamp":"2026-02-28T23:59:59.5+01:00"}}`, true},
		"ports by number and name":                 {container(`"livenessProbe":{"httpGet":{"port":8080}},"readinessProbe":{"httpGet":{"port":"http"}}`), true},
		"a label that comes twice":                 {`{"metadata":{"labels":{"a":"b","a":"c"}}}`, true},
		"annotations of any language":              {`{"metadata":{"annotations":{"a":"é\n","kubernetes.io/config.mirror":"x"}}}`, true},
		"100 levels":                               {`{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, true},
		"a needed field that comes twice":          {container(`"image":"a","image":"b"`), false},
		"an object that comes twice":               {`{"spec":{"nodeName":"a"},"spec":{"containers":[{"image":"b"}]}}`, false},
		"a list that comes twice":                  {`{"spec":{"containers":[{"image":"a"}],"containers":[{"imagePullPolicy":"Never"}]}}`, false},
		"an escape in a needed text":               {container(`"image":"\u0061"`), false},
		"an escape in a name":                      {container(`"im\u0061ge":"a"`), false},
		"a needed text that is not ASCII":          {container(`"image":"é"`), false},
		"UTF-8 that is wrong":                      {container("\"image\":\"\xff\""), false},
		"a label that is null":                     {`{"metadata":{"labels":{"a":null}}}`, false},
		"a wrong type":                             {container(`"image":7`), false},
		"a wrong type where nothing is needed":     {container(`"image":"a","stdin":"yes"`), false},
		"a wrong type within what is not needed":   {container(`"image":"a","env":[{"valueFrom":{"fieldRef":[]}}]`), false},
		"a fraction":                               {container(`"ports":[{"containerPort":80.0}]`), false},
		"a number that is too large":               {container(`"ports":[{"containerPort":2147483648}]`), false},
		"a number that may be too large":           {container(`"ports":[{"containerPort":2147483647}]`), false},
		"a quantity that is none":                  {container(`"resources":{"limits":{"cpu":"much"}}`), false},
		"a day that does not exist":                {`{"metadata":{"creationTimestamp":"2026-02-30T00:00:00Z"}}`, false},
		"a port that is none":                      {container(`"livenessProbe":{"httpGet":{"port":true}}`), false},
		"101 levels":                               {`{"x":` + strings.Repeat("[", 101) + strings.Repeat("]", 101) + `}`, false},
		"no object":                                {`[]`, false},
		"half an object":                           {`{"spec":{"nodeName":"a"`, false},
		"two objects":                              {`{}{}`, false},
		"a comma too much":                         {`{"spec":{"nodeName":"a",}}`, false},
		"a comma too few":                          {`{"spec":{"nodeName":"a" "os":null}}`, false},
		"a control character":                      {container("\"image\":\"a\tb\""), false},
		"one where nothing is needed":              {container("\"name\":\"a\nb\""), false},
		"an escape that is none":                   {container(`"name":"\x"`), false},
		"half an escape":                           {container(`"name":"\u12`), false},
		"a number with a zero before it":           {container(`"new":01`), false},
		"half a number":                            {container(`"new":1.`), false},
		"a word that is none":                      {container(`"new":nul`), false},
		"a name that is no text":                   {`{"spec":{nodeName:"a"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := samePod(t, []byte(tc.text)); got != tc.read {
				t.Errorf("read: %v, want %v", got, tc.read)
			}
		})
	}
}

// TestSeedsAreRead: what is in testdata is read without the typed decoder.
func TestSeedsAreRead(t *testing.T) {
	for name, text := range seeds(t) {
		if !sameReview(t, text) {
			t.Errorf("%s is left to the typed decoder", name)
		}
		if read, err := Pods(text); err != nil || read.Typed || read.Object == nil {
			t.Errorf("%s: %+v, %v", name, read, err)
		}
	}
}

func TestReviewsThatAreLeftToTheTypedDecoder(t *testing.T) {
	for text, pod := range map[string]bool{
		`{"request":{"uid":"u","uid":"v","object":{}}}`:                        false,
		`{"request":{"uid":"é","object":{}}}`:                                  false,
		`{"request":{"uid":"u","object":{"spec":{"nodeName":7}}}}`:             false,
		`{"request":{"uid":"u","object":{},"oldObject":{"metadata":7}}}`:       true,
		`{"request":{"uid":"u","object":"x"}}`:                                 false,
		`{"request":{"uid":"u","userInfo":{"extra":{"a":["é"]}},"object":{}}}`: true,
	} {
		typed := !strings.Contains(text, "userInfo")
		if read, err := Pods([]byte(text)); err != nil || read.Typed != typed || (read.Object != nil) != pod || read.Request.UID == "" {
			t.Errorf("%s: %+v, %v", text, read, err)
		}
		if read, err := Any([]byte(text)); err != nil || read.Object != nil || read.Request.UID == "" {
			t.Errorf("%s of anything: %+v, %v", text, read, err)
		}
	}
	for _, text := range []string{`{}`, `null`, `{"request":null}`, `{"request":{}}`, `{"request":{"uid":""}}`, `{"request":{"UID":"u"}}`} {
		if read, err := Pods([]byte(text)); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s: %+v, %v", text, read, err)
		}
	}
	if _, err := Pods([]byte(`{"request":{"uid":7}}`)); err == nil || errors.Is(err, ErrNoRequest) {
		t.Errorf("a UID that is a number: %v", err)
	}
}

func TestUID(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind":"AdmissionReview","apiVersion":"v1","request":{"uid":"u","kind":`: "u",
		`{"request":{"a":[{"uid":"x"}],"uid":"u"}}`:                                "u",
		`{"request":{"uid":"u","uid":"v"}}`:                                        "u",
		`{"response":{"uid":"x"},"request":{"uid":"u"`:                             "u",
		`{"request":{"uid":"\u0061"}}`:                                             "",
		`{"request":{"uid":""}}`:                                                   "",
		`{"request":{"uid":7}}`:                                                    "",
		`{"request":{"uid`:                                                         "",
		`{"request":{"object":{"uid":"x"}`:                                         "",
		`{"request":{}}`:                                                           "",
		`{"request":null}`:                                                         "",
		`{"uid":"x"}`:                                                              "",
		`{}`:                                                                       "",
		`[]`:                                                                       "",
		``:                                                                         "",
	} {
		if uid, found := UID([]byte(text)); string(uid) != want || found != (want != "") {
			t.Errorf("%s: %q, %v, want %q", text, uid, found, want)
		}
	}
}

func TestShapesThatCanNotBe(t *testing.T) {
	for path, want := range map[string]string{
		"spec.nodename":              "Pod.spec has no field nodename",
		"metadata.creationTimestamp": "",
		"spec.volumes.image.x":       "Pod.spec.volumes[].image has no field x",
	} {
		var got any
		func() {
			defer func() { got = recover() }()
			mustShape[corev1.Pod](paths(path))
		}()
		if want != "" && got != want || want == "" && got == nil {
			t.Errorf("%s: %v, want %s", path, got, want)
		}
	}
}

// TestBinding: a binding is read as the typed decoder reads it, also where that one does.
func TestBinding(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind":"Binding","apiVersion":"v1","metadata":{"name":"p","namespace":"n","uid":"u","creationTimestamp":null},"target":{"kind":"Node","name":"a"}}`: "p n u Node a",
		`{"metadata":{"name":"p","name":"q"},"target":{"name":"\u0061"}}`:                                                                                     "q   a",
	} {
		b, err := Binding([]byte(text))
		if got := strings.Join([]string{b.Name, b.Namespace, string(b.UID) + b.Target.Kind, b.Target.Name}, " "); err != nil || strings.ReplaceAll(got, "uNode", "u Node") != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := Binding([]byte(`{"target":7}`)); err == nil {
		t.Error("a wrong type is no error")
	}
}
