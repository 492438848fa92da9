// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
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

// podsOf reads one document. Kinds without a pod in them, and kinds this
// program does not know, give none.
func podsOf(body []byte, defaultNamespace string) ([]podSource, error) {
	asJSON, err := yaml.YAMLToJSON(body)
	if err != nil {
		return nil, err
	}
	switch text := bytes.TrimSpace(asJSON); {
	case bytes.Equal(text, []byte("null")):
		return nil, nil
	case !bytes.HasPrefix(text, []byte("{")):
		return nil, errors.New("not a Kubernetes object: it has no fields; add apiVersion and kind")
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
		return nil, wrongType(err)
	}
	if list, ok := object.(*corev1.List); ok {
		return podsOfList(list, defaultNamespace)
	}
	if meta.IsListType(object) {
		return podsOfTypedList(object, defaultNamespace)
	}
	return podOf(object, defaultNamespace), nil
}

// wrongType names the field that a value does not fit, without Go's types.
func wrongType(err error) error {
	found := goType.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	_, path, _ := strings.Cut(found[2], ".") // the first part is Go's name of a type
	article := "a"
	if strings.ContainsAny(found[1][:1], "aeiou") {
		article = "an"
	}
	return fmt.Errorf("%s: %s %s does not fit here", path, article, found[1])
}

var goType = regexp.MustCompile(`json: cannot unmarshal (\w+) into Go struct field (\S+) of type`)

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

// podsOfTypedList reads a PodList, a DeploymentList and so on, whose items need no kind of their own.
func podsOfTypedList(list runtime.Object, defaultNamespace string) (all []podSource, err error) {
	err = meta.EachListItem(list, func(item runtime.Object) error {
		if kinds, _, err := scheme.Scheme.ObjectKinds(item); err == nil {
			item.GetObjectKind().SetGroupVersionKind(kinds[0])
		}
		all = append(all, podOf(item, defaultNamespace)...)
		return nil
	})
	return all, err
}

// podOf is the pod or the pod template in an object, none in a kind without one.
func podOf(object runtime.Object, defaultNamespace string) []podSource {
	template, spec, err := psaadmission.DefaultPodSpecExtractor{}.ExtractPodSpec(object)
	accessor, named := object.(metav1.Object)
	if err != nil || spec == nil || !named {
		return nil
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
	return []podSource{source}
}
