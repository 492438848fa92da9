// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// ProtobufConfig returns a copy of c whose clients speak protobuf, which costs a fraction of JSON to decode.
func ProtobufConfig(c *rest.Config) *rest.Config {
	c = rest.CopyConfig(c)
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return c
}

// LeanClient returns a client for Informers: its watches of Nodes and Pods have only what this package reads of them, where they
// come in protobuf, and pods in a form that only Informers understand. Streaming lists are such watches. For all else it is client.
func LeanClient(client kubernetes.Interface, config *rest.Config) (kubernetes.Interface, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath = &corev1.SchemeGroupVersion, "/api"
	c.NegotiatedSerializer = leanSerializer{scheme.Codecs.WithoutConversion()}
	lean, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("make a client for watches: %w", err)
	}
	return leanClient{client, typedcorev1.New(lean)}, nil
}

type leanClient struct {
	kubernetes.Interface

	core typedcorev1.CoreV1Interface
}

// CoreV1 implements [kubernetes.Interface].
func (c leanClient) CoreV1() typedcorev1.CoreV1Interface { return c.core }

// leanSerializer drops what nobody reads from events before they are decoded.
type leanSerializer struct{ runtime.NegotiatedSerializer }

// SupportedMediaTypes implements [runtime.NegotiatedSerializer].
func (s leanSerializer) SupportedMediaTypes() []runtime.SerializerInfo {
	infos := s.NegotiatedSerializer.SupportedMediaTypes()
	lean := make([]runtime.SerializerInfo, len(infos))
	for i, info := range infos {
		if info.MediaType == runtime.ContentTypeProtobuf && info.StreamSerializer != nil {
			stream := *info.StreamSerializer
			stream.Serializer = leanStream{stream.Serializer}
			info.StreamSerializer = &stream
		}
		lean[i] = info
	}
	return lean
}

// DecoderToVersion implements [runtime.NegotiatedSerializer].
func (s leanSerializer) DecoderToVersion(decoder runtime.Decoder, version runtime.GroupVersioner) runtime.Decoder {
	return leanObjects{s.NegotiatedSerializer.DecoderToVersion(decoder, version)}
}

// leanObjects leaves pods undecoded where the caller does not say what to decode into.
type leanObjects struct{ runtime.Decoder }

var wholePodKind = corev1.SchemeGroupVersion.WithKind("Pod")

// Decode implements [runtime.Decoder].
func (d leanObjects) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if into == nil {
		if p := leanPodIn(data); p != nil {
			return p, &wholePodKind, nil
		}
	}
	return d.Decoder.Decode(data, defaults, into)
}

// leanPodIn returns the pod that is in an object as it comes in an event, nil for none.
func leanPodIn(object []byte) *leanPod {
	unknown, prefixed := bytes.CutPrefix(object, protobufPrefix)
	if !prefixed || envelopedIn(unknown) != envelopedPod {
		return nil
	}
	for f := range fieldsOf(unknown) {
		if f.number == 2 {
			return newLeanPod(f.content)
		}
	}
	return nil
}

// leanStream decodes the events of a watch.
type leanStream struct{ runtime.Serializer }

// leanBytes are buffers: what is decoded of them is copied.
var leanBytes = sync.Pool{New: func() any { return new([]byte) }}

// Decode implements [runtime.Decoder]. What is no event is left to the decoder, to say what is wrong.
func (s leanStream) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if _, is := into.(*metav1.WatchEvent); !is {
		return s.Serializer.Decode(data, defaults, into)
	}
	buffer := leanBytes.Get().(*[]byte) //nolint:forcetypeassert // nothing else is put there
	defer leanBytes.Put(buffer)
	lean, kept, whole := eventWire.filter((*buffer)[:0], data)
	*buffer = lean
	if kept && whole {
		data = lean
	}
	return s.Serializer.Decode(data, defaults, into)
}
