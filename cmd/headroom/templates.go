// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/workload"
)

// podSource is one pod, or one object that makes pods, out of a manifest.
type podSource struct {
	kind, namespace, name string
	// request is what the webhook would ask about it.
	request fit.Request
}

// customObject is of a kind that is not Kubernetes' own. Whether it makes pods is
// in the policy, which nobody has read yet.
type customObject struct {
	kind   schema.GroupVersionKind
	object []byte
}

// content is what one document held.
type content struct {
	pods    []podSource
	custom  []customObject
	reviews []reviewSource
}

func (c *content) add(more content) {
	c.pods, c.custom, c.reviews = append(c.pods, more.pods...), append(c.custom, more.custom...), append(c.reviews, more.reviews...)
}

// orNone is the content unless there is an error.
func (c content) orNone(err error) (content, error) {
	if err != nil {
		return content{}, err
	}
	return c, nil
}

// contentOf reads one document. Kinds without a pod in them give nothing.
func contentOf(body []byte, defaultNamespace string) (content, error) {
	// A recording has some megabytes, which are read a hundred times as fast as what they are, JSON.
	if review, found, err := reviewIn(body); found {
		return content{reviews: []reviewSource{review}}.orNone(err)
	}
	asJSON, err := yaml.YAMLToJSON(body)
	if err != nil {
		return content{}, err
	}
	if review, found, err := reviewIn(asJSON); found {
		return content{reviews: []reviewSource{review}}.orNone(err)
	}
	switch text := bytes.TrimSpace(asJSON); {
	case bytes.Equal(text, []byte("null")):
		return content{}, nil
	case !bytes.HasPrefix(text, []byte("{")):
		return content{}, errors.New("not a Kubernetes object: it has no fields; add apiVersion and kind")
	}
	object, kind, err := scheme.Codecs.UniversalDeserializer().Decode(asJSON, nil, nil)
	switch {
	case runtime.IsNotRegisteredError(err):
		return content{custom: []customObject{{kind: *kind, object: asJSON}}}, nil
	case runtime.IsMissingKind(err):
		return content{}, errors.New("not a Kubernetes object: it has no kind; add apiVersion and kind")
	case runtime.IsMissingVersion(err):
		return content{}, errors.New("not a Kubernetes object: it has no apiVersion; add one")
	case err != nil:
		return content{}, wrongType(err)
	}
	if list, ok := object.(*corev1.List); ok {
		return contentOfList(list, defaultNamespace)
	}
	if meta.IsListType(object) {
		return contentOfTypedList(*kind, asJSON, defaultNamespace)
	}
	return contentOfObject(*kind, asJSON, defaultNamespace)
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

func contentOfList(list *corev1.List, defaultNamespace string) (all content, err error) {
	var problems []error
	for i, item := range list.Items {
		found, err := contentOf(item.Raw, defaultNamespace)
		if err != nil {
			problems = append(problems, fmt.Errorf("items[%d]: %w", i, err))
		}
		all.add(found)
	}
	return all, errors.Join(problems...)
}

// contentOfTypedList reads a PodList, a DeploymentList and so on, whose items need no kind of their own.
func contentOfTypedList(kind schema.GroupVersionKind, object []byte, defaultNamespace string) (all content, err error) {
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := utiljson.Unmarshal(object, &list); err != nil {
		return content{}, err
	}
	kind.Kind = strings.TrimSuffix(kind.Kind, "List")
	for _, item := range list.Items {
		found, err := contentOfObject(kind, item, defaultNamespace)
		if err != nil {
			return all, err
		}
		all.add(found)
	}
	return all, nil
}

// contentOfObject reads an object of a kind that Kubernetes has.
func contentOfObject(kind schema.GroupVersionKind, object []byte, defaultNamespace string) (content, error) {
	if kind == corev1.SchemeGroupVersion.WithKind("Pod") {
		var pod corev1.Pod
		if err := utiljson.Unmarshal(object, &pod); err != nil {
			return content{}, err
		}
		if pod.Namespace == "" {
			pod.Namespace = defaultNamespace
		}
		if pod.Name == "" {
			pod.Name = pod.GenerateName
		}
		return content{pods: []podSource{{kind: kind.Kind, namespace: pod.Namespace, name: pod.Name, request: fit.RequestOf(&pod)}}}, nil
	}
	pods, err := workloadOf(kind, object, nil, defaultNamespace)
	return content{pods: pods}, err
}

// workloadOf is the workload in an object, none in one that makes no pods.
func workloadOf(kind schema.GroupVersionKind, object []byte, custom *workload.Paths, defaultNamespace string) ([]podSource, error) {
	w, err := workload.Decode(kind, object, custom)
	switch {
	case errors.Is(err, workload.ErrUnknownKind), errors.Is(err, workload.ErrNoTemplate):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if w.Meta.Namespace == "" {
		w.Meta.Namespace = defaultNamespace
	}
	return []podSource{{kind: w.Kind, namespace: w.Meta.Namespace, name: w.Name(), request: w.Request()}}, nil
}

// pathsOf says where objects of a kind have their template by the policy, nil where it does not say.
func pathsOf(p *policy.Policy, kind schema.GroupVersionKind) *workload.Paths {
	declared := p.WorkloadOf(kind.Group, kind.Version, kind.Kind)
	if declared == nil {
		return nil
	}
	return &workload.Paths{Template: declared.Template, Replicas: declared.Replicas}
}
