// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
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

// LeanClient returns a client whose watches of Pods and Nodes have only what this package reads of them, where they come in
// protobuf: nine tenths of a pod's bytes are never decoded. Streaming lists are such watches. For all else it is client.
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
