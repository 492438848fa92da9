// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/placement"
	"github.com/headroom-dev/headroom/policy"
)

// readText reads manifests from stdin and says what was found, one line each.
func readText(text string) (found, problems []string) {
	return lines(readManifests([]string{"-"}, strings.NewReader(text), "default"))
}

func lines(m manifests) (found, problems []string) {
	for _, p := range m.pods {
		images := make([]string, 0, len(p.request.Images))
		for i := range p.request.Images {
			images = append(images, strings.TrimSuffix(p.request.Images[i].Ref.Familiar(), ":latest"))
		}
		found = append(found, p.kind+" "+p.namespace+"/"+p.name+" "+strings.Join(images, ","))
	}
	for _, p := range m.problems {
		problems = append(problems, p.Error())
	}
	return found, problems
}

const onePod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: i}]}\n"

func TestDocumentsAreCutApart(t *testing.T) {
	cases := map[string]struct {
		text            string
		found, problems []string
	}{
		"nothing":                                    {"", nil, nil},
		"only separators and comments":               {"---\n# nothing\n---\n", nil, nil},
		"one":                                        {onePod, []string{"Pod default/a i"}, nil},
		"Windows line ends":                          {strings.ReplaceAll("---\n"+onePod+"---\n"+onePod, "\n", "\r\n"), []string{"Pod default/a i", "Pod default/a i"}, nil},
		"a comment after the separator":              {"--- # first\n" + onePod, []string{"Pod default/a i"}, nil},
		"a document on the separator's line":         {`--- {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: []}}` + "\n", []string{"Pod default/b "}, nil},
		"an end of document without a separator":     {onePod + "...\n" + onePod, []string{"Pod default/a i", "Pod default/a i"}, nil},
		"dashes that separate nothing":               {strings.Replace(onePod, "{name: a}", "{name: a, annotations: {x: '---'}}", 1), []string{"Pod default/a i"}, nil},
		"JSON":                                       {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"j","namespace":"n"},"spec":{"containers":[{"image":"i"}]}}`, []string{"Pod n/j i"}, nil},
		"a name to be made up by the API server":     {strings.Replace(onePod, "name: a", "generateName: a-", 1), []string{"Pod default/a- i"}, nil},
		"kinds without pods, and unknown ones":       {"apiVersion: v1\nkind: Service\n---\napiVersion: example.com/v1\nkind: Thing\n", nil, nil},
		"a broken one costs only itself":             {onePod + "---\nkind: [\n---\n" + onePod, []string{"Pod default/a i", "Pod default/a i"}, []string{`stdin:6: not YAML: did not find expected node content`}},
		"the line is the file's, not the document's": {onePod + "---\na: 1\nb: 2\nc: {\n", []string{"Pod default/a i"}, []string{"stdin:8: not YAML: did not find expected node content"}},
		"no kind":                        {"a: b\n", nil, []string{"stdin:1: not a Kubernetes object: it has no kind; add apiVersion and kind"}},
		"no apiVersion":                  {"---\nkind: Pod\n", nil, []string{"stdin:2: not a Kubernetes object: it has no apiVersion; add one"}},
		"an object where a list belongs": {"apiVersion: v1\nkind: Pod\nspec: {containers: {}}\n", nil, []string{"stdin:1: spec.containers: an object does not fit here"}},
		"a value of the wrong type":      {"apiVersion: v1\nkind: Pod\nspec: {containers: 5}\n", nil, []string{"stdin:1: spec.containers: a number does not fit here"}},
		"not even an object":             {"just text\n", nil, []string{"stdin:1: not a Kubernetes object: it has no fields; add apiVersion and kind"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found, problems := readText(tc.text)
			if diff := cmp.Diff(tc.found, found); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTemplatesOfEveryKind(t *testing.T) {
	const pod = `{spec: {containers: [{name: c, image: i}]}}`
	const template = `{selector: {matchLabels: {a: b}}, template: ` + pod + `}`
	object := func(apiVersion, kind, rest string) string {
		return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: x, namespace: ns}\n" + rest + "\n"
	}
	cases := map[string]struct {
		text string
		want []string
	}{
		"Pod":                   {object("v1", "Pod", "spec: {containers: [{name: c, image: i}]}"), []string{"Pod ns/x i"}},
		"PodTemplate":           {object("v1", "PodTemplate", "template: "+pod), []string{"PodTemplate ns/x i"}},
		"ReplicationController": {object("v1", "ReplicationController", "spec: {template: "+pod+"}"), []string{"ReplicationController ns/x i"}},
		"ReplicaSet":            {object("apps/v1", "ReplicaSet", "spec: "+template), []string{"ReplicaSet ns/x i"}},
		"Deployment":            {object("apps/v1", "Deployment", "spec: "+template), []string{"Deployment ns/x i"}},
		"StatefulSet":           {object("apps/v1", "StatefulSet", "spec: "+template), []string{"StatefulSet ns/x i"}},
		"DaemonSet":             {object("apps/v1", "DaemonSet", "spec: "+template), []string{"DaemonSet ns/x i"}},
		"Job":                   {object("batch/v1", "Job", "spec: "+template), []string{"Job ns/x i"}},
		"CronJob":               {object("batch/v1", "CronJob", "spec: {jobTemplate: {spec: "+template+"}}"), []string{"CronJob ns/x i"}},
		"List": {
			"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(onePod), "\n", "\n  ") + "\n- {apiVersion: v1, kind: Service}\n",
			[]string{"Pod default/a i"},
		},
		"a typed list, whose items need no kind": {
			"apiVersion: apps/v1\nkind: DeploymentList\nitems: [{metadata: {name: d}, spec: " + template + "}]\n", []string{"Deployment default/d i"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found, problems := readText(tc.text)
			if diff := cmp.Diff(tc.want, found); diff != "" || problems != nil {
				t.Errorf("problems %v, pods (-want +got):\n%s", problems, diff)
			}
		})
	}
	t.Run("an item of a List that is broken costs only itself", func(t *testing.T) {
		found, problems := readText("apiVersion: v1\nkind: List\nitems:\n- {a: b}\n- " + strings.ReplaceAll(strings.TrimSpace(onePod), "\n", "\n  ") + "\n")
		want := []string{"stdin:1: items[0]: not a Kubernetes object: it has no kind; add apiVersion and kind"}
		if diff := cmp.Diff(want, problems); diff != "" || len(found) != 1 {
			t.Errorf("found %v, problems (-want +got):\n%s", found, diff)
		}
	})
}

func TestTemplateKeepsWhatDecides(t *testing.T) {
	m := readManifests([]string{"-"}, strings.NewReader(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    metadata: {labels: {app: d}}
    spec: {nodeSelector: {disk: big}, containers: [{name: c, image: i}]}
`), "team")
	if len(m.pods) != 1 {
		t.Fatalf("%+v", m)
	}
	r := m.pods[0].request
	selected := func(labels map[string]string) bool { return r.Placement.TiedTo(&placement.Node{Labels: labels}) }
	if r.Labels["app"] != "d" || r.Namespace != "team" || !selected(map[string]string{"disk": "big"}) || selected(nil) {
		t.Errorf("labels %v, namespace %q, placement %+v", r.Labels, r.Namespace, r.Placement)
	}
}

// TestKindsOfOnesOwn: whether an object makes pods is in the policy, which is read after the files.
func TestKindsOfOnesOwn(t *testing.T) {
	const head = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\n"
	m := readManifests([]string{"-"}, strings.NewReader(onePod+"---\n"+
		head+"spec: {template: {spec: {containers: [{name: c, image: j}]}}}\n---\n"+
		head+"spec: {template: {spec: {containers: 7}}}\n---\n"+
		head+"spec: {workloadRef: {}}\n---\n"+
		strings.Replace(head, "Rollout", "Experiment", 1)), "team")
	if found, problems := lines(m); len(found) != 1 || problems != nil {
		t.Errorf("without a policy: found %v, problems %v", found, problems)
	}
	p, _, err := policy.Load([]byte("apiVersion: headroom.dev/v1alpha1\nkind: Policy\n"+
		"workloads: [{apiVersion: argoproj.io/v1alpha1, kind: Rollout, resource: rollouts}]\n"), true)
	if err != nil {
		t.Fatal(err)
	}
	fresh := m.resolve(p)
	found, problems := lines(m)
	if diff := cmp.Diff([]string{"Pod team/a i", "Rollout team/r j"}, found); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	want := []string{"stdin:11: spec.containers: a number does not fit here"}
	if diff := cmp.Diff(want, problems); diff != "" || len(fresh) != 1 {
		t.Errorf("new problems %v, problems (-want +got):\n%s", fresh, diff)
	}
}

func TestFilesAndFolders(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": onePod, "b/c.yml": onePod, "b/d.json": `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"j"}}`, "README.md": "kind: [", "b/broken.yaml": "kind: [",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(paths ...string) (found, problems []string) {
		return lines(readManifests(paths, strings.NewReader(onePod), "default"))
	}
	found, problems := read(dir)
	if len(found) != 3 || len(problems) != 1 || !strings.HasPrefix(problems[0], filepath.Join(dir, "b/broken.yaml")+":1: not YAML: ") {
		t.Errorf("a folder: found %v, problems %v", found, problems)
	}
	found, problems = read(filepath.Join(dir, "a.yaml"), "-", filepath.Join(dir, "gone.yaml"))
	if len(found) != 2 || len(problems) != 1 || !strings.Contains(problems[0], "gone.yaml: no such file or directory") {
		t.Errorf("a file, stdin and a file that is not there: found %v, problems %v", found, problems)
	}
}

// TestStdinThatFails must not look like an empty one.
func TestStdinThatFails(t *testing.T) {
	m := readManifests([]string{"-"}, io.MultiReader(strings.NewReader("a"), failing{}), "default")
	if len(m.problems) != 2 || !strings.Contains(m.problems[0].Error(), "stdin:2: the cable is out") {
		t.Errorf("problems %v", m.problems)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the cable is out") }

func FuzzReadManifests(f *testing.F) {
	f.Add(onePod)
	f.Add("apiVersion: v1\nkind: List\nitems: [{a: b}]\n--- x\n...\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range readManifests([]string{"-"}, strings.NewReader(text), "default").pods {
			if p.request.Placement == nil || p.namespace == "" || p.request.Namespace != p.namespace || p.kind == "" {
				t.Errorf("%+v", p)
			}
		}
	})
}
