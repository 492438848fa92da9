// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
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
	c := leanClient{Interface: client, config: rest.CopyConfig(config)}
	c.config.GroupVersion, c.config.APIPath = &corev1.SchemeGroupVersion, "/api"
	var err error
	if c.http, err = rest.HTTPClientFor(config); err == nil {
		c.core, err = c.coreFor(nil)
	}
	if err != nil {
		return nil, fmt.Errorf("make a client for watches: %w", err)
	}
	return c, nil
}

type leanClient struct {
	kubernetes.Interface

	config *rest.Config
	http   *http.Client
	core   typedcorev1.CoreV1Interface
}

// coreFor returns a client whose watches are a list that is under way, or nil for none.
func (c leanClient) coreFor(listing *podListing) (typedcorev1.CoreV1Interface, error) {
	config := rest.CopyConfig(c.config)
	config.NegotiatedSerializer = leanSerializer{scheme.Codecs.WithoutConversion(), listing}
	lean, err := rest.RESTClientForConfigAndClient(config, c.http)
	if err != nil {
		return nil, err
	}
	return typedcorev1.New(lean), nil
}

// listPods implements [podStreams].
func (c leanClient) listPods(ctx context.Context, o metav1.ListOptions, listing *podListing) (watch.Interface, error) {
	core, err := c.coreFor(listing)
	if err != nil {
		return nil, err
	}
	return core.Pods(metav1.NamespaceAll).Watch(ctx, o)
}

// CoreV1 implements [kubernetes.Interface].
func (c leanClient) CoreV1() typedcorev1.CoreV1Interface { return c.core }

// leanSerializer drops what nobody reads from events before they are decoded.
type leanSerializer struct {
	runtime.NegotiatedSerializer

	listing *podListing // that the events are, nil for none
}

// SupportedMediaTypes implements [runtime.NegotiatedSerializer].
func (s leanSerializer) SupportedMediaTypes() []runtime.SerializerInfo {
	infos := s.NegotiatedSerializer.SupportedMediaTypes()
	lean := make([]runtime.SerializerInfo, len(infos))
	for i, info := range infos {
		if info.MediaType == runtime.ContentTypeProtobuf && info.StreamSerializer != nil {
			stream := *info.StreamSerializer
			stream.Serializer = leanStream{stream.Serializer}
			if s.listing != nil {
				stream.Framer = listingFramer{stream.Framer, s.listing}
			}
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

var wholePodKind, wholeNodeKind = corev1.SchemeGroupVersion.WithKind("Pod"), corev1.SchemeGroupVersion.WithKind("Node")

// Decode implements [runtime.Decoder].
func (d leanObjects) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if into == nil {
		if p := leanPodIn(data); p != nil {
			return p, &wholePodKind, nil
		}
		if node := bytesOf(envelopedNode, data); node != nil {
			n := &corev1.Node{} // Without the copy that the decoder makes of its bytes first.
			return n, &wholeNodeKind, n.Unmarshal(node)
		}
	}
	return d.Decoder.Decode(data, defaults, into)
}

// leanPodIn returns the pod that is in an object as it comes in an event, nil for none.
func leanPodIn(object []byte) *leanPod {
	if pod := bytesOf(envelopedPod, object); pod != nil {
		return newLeanPod(pod)
	}
	return nil
}

// bytesOf returns what is in the envelope of an object of a kind, nil for one of another.
func bytesOf(kind *wire, object []byte) []byte {
	unknown, prefixed := bytes.CutPrefix(object, protobufPrefix)
	if !prefixed || envelopedIn(unknown) != kind {
		return nil
	}
	for f := range fieldsOf(unknown) {
		if f.number == 2 {
			return f.content
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
