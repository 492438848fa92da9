// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	psaadmission "k8s.io/pod-security-admission/admission"
	"sigs.k8s.io/yaml"
)

// podSource is one pod, or one workload's pod template, out of a manifest.
type podSource struct {
	kind, namespace, name string
	pod                   *corev1.Pod
}

// document is one YAML or JSON document and where it starts, for messages.
type document struct {
	file string
	line int // 1-based
	body []byte
}

// manifests are what files held: the pods in them, and one sentence for every
// document that could not be read. A broken document costs only itself.
type manifests struct {
	pods     []podSource
	problems []error
}

// readManifests reads files, folders (every .yaml, .yml and .json below them) and "-" for stdin.
func readManifests(paths []string, stdin io.Reader, defaultNamespace string) manifests {
	var m manifests
	for _, path := range paths {
		for _, d := range m.documentsOf(path, stdin) {
			pods, err := podsOf(d.body, defaultNamespace)
			if err != nil {
				m.problems = append(m.problems, fmt.Errorf("%s:%d: %w", d.file, lineOf(d, err), err))
			}
			m.pods = append(m.pods, pods...)
		}
	}
	return m
}

func (m *manifests) documentsOf(path string, stdin io.Reader) []document {
	if path == "-" {
		return m.split("stdin", stdin)
	}
	files, err := manifestFiles(path)
	if err != nil {
		m.problems = append(m.problems, err)
	}
	var all []document
	for _, file := range files {
		opened, err := os.Open(file)
		if err != nil {
			m.problems = append(m.problems, err)
			continue
		}
		all = append(all, m.split(file, opened)...)
		if err := opened.Close(); err != nil {
			m.problems = append(m.problems, err)
		}
	}
	return all
}

func manifestFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(p)) {
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// split cuts a stream at the lines that are `---`. It is done here, and not by
// a YAML reader, so that one document's syntax error does not end the others,
// and so that every message can name a line.
func (m *manifests) split(file string, r io.Reader) []document {
	var all []document
	current := document{file: file, line: 1}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 16<<20)
	number := 0
	flush := func(next int) {
		if len(bytes.TrimSpace(current.body)) > 0 {
			all = append(all, current)
		}
		current = document{file: file, line: next}
	}
	for lines.Scan() {
		number++
		if separator(lines.Bytes()) {
			flush(number + 1)
			continue
		}
		current.body = append(append(current.body, lines.Bytes()...), '\n')
	}
	flush(number + 1)
	if err := lines.Err(); err != nil {
		m.problems = append(m.problems, fmt.Errorf("%s:%d: %w", file, number+1, err))
	}
	return all
}

func separator(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte("---"))
	return found && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r')
}

// yamlLine finds the line a YAML error names; it counts from the document's start.
var yamlLine = regexp.MustCompile(`line (\d+)`)

func lineOf(d document, err error) int {
	if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
		if n, convErr := strconv.Atoi(found[1]); convErr == nil {
			return d.line + n - 1
		}
	}
	return d.line
}

// podsOf reads one document. Kinds without a pod in them, and kinds this
// program does not know, give none.
func podsOf(body []byte, defaultNamespace string) ([]podSource, error) {
	asJSON, err := yaml.YAMLToJSON(body)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(asJSON), []byte("null")) {
		return nil, nil
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(asJSON, nil, nil)
	switch {
	case runtime.IsNotRegisteredError(err):
		return nil, nil
	case runtime.IsMissingKind(err):
		return nil, errors.New("not a Kubernetes object: it has no kind; add apiVersion and kind")
	case runtime.IsMissingVersion(err):
		return nil, errors.New("not a Kubernetes object: it has no apiVersion; add one")
	case err != nil:
		return nil, err
	}
	if list, ok := object.(*corev1.List); ok {
		return podsOfList(list, defaultNamespace)
	}
	return podOf(object, defaultNamespace)
}

func podsOfList(list *corev1.List, defaultNamespace string) (all []podSource, err error) {
	var problems []error
	for i, item := range list.Items {
		pods, err := podsOf(item.Raw, defaultNamespace)
		if err != nil {
			problems = append(problems, fmt.Errorf("items[%d]: %w", i, err))
		}
		all = append(all, pods...)
	}
	return all, errors.Join(problems...)
}

func podOf(object runtime.Object, defaultNamespace string) ([]podSource, error) {
	template, spec, err := psaadmission.DefaultPodSpecExtractor{}.ExtractPodSpec(object)
	if err != nil || spec == nil {
		return nil, nil //nolint:nilerr // a kind without a pod in it is not a mistake
	}
	accessor, ok := object.(metav1.Object)
	if !ok {
		return nil, nil
	}
	source := podSource{
		kind:      object.GetObjectKind().GroupVersionKind().Kind,
		namespace: accessor.GetNamespace(),
		name:      accessor.GetName(),
	}
	if source.namespace == "" {
		source.namespace = defaultNamespace
	}
	if source.name == "" {
		source.name = accessor.GetGenerateName()
	}
	pod := &corev1.Pod{Spec: *spec}
	if template != nil {
		pod.ObjectMeta = *template.DeepCopy()
	}
	pod.Namespace, pod.Name = source.namespace, source.name
	source.pod = pod
	return []podSource{source}, nil
}
