// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"
)

const pageSize = 5000

// pages calls f for each page of a resource as it comes. f returns the token of the next one.
func pages(ctx context.Context, client kubernetes.Interface, resource string, f func(body []byte) (next string, err error)) error {
	for options := (metav1.ListOptions{Limit: pageSize}); ; {
		body, err := client.CoreV1().RESTClient().Get().Resource(resource).VersionedParams(&options, scheme.ParameterCodec).DoRaw(ctx)
		if err != nil {
			return err
		}
		if options.Continue, err = f(body); err != nil || options.Continue == "" {
			return err
		}
	}
}

// listMetaOf reads a page's metadata and leaves its items alone: they come after it.
func listMetaOf(body []byte) (metav1.ListMeta, error) {
	var unknown runtime.Unknown
	if len(body) < 4 {
		return metav1.ListMeta{}, errors.New("not protobuf")
	}
	if err := unknown.Unmarshal(body[4:]); err != nil {
		return metav1.ListMeta{}, err
	}
	length, n := binary.Uvarint(unknown.Raw[min(1, len(unknown.Raw)):]) // after the field's tag
	if n <= 0 || length > uint64(len(unknown.Raw)-1-n) {                //nolint:gosec // the length was read from it
		return metav1.ListMeta{}, errors.New("a list without metadata")
	}
	var meta metav1.ListMeta
	return meta, meta.Unmarshal(unknown.Raw[1+n:][:length])
}

func readBytes(ctx context.Context, client kubernetes.Interface, t *took) error {
	for _, resource := range []string{"nodes", "pods"} {
		err := pages(ctx, client, resource, func(body []byte) (string, error) {
			t.Bytes += int64(len(body))
			meta, err := listMetaOf(body)
			return meta.Continue, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// decodePages measures decoding alone: nothing else goes on while a page is decoded.
func decodePages(ctx context.Context, client kubernetes.Interface, t *took) error {
	for _, resource := range []string{"nodes", "pods"} {
		err := pages(ctx, client, resource, func(body []byte) (string, error) {
			t.Bytes += int64(len(body))
			before := cpuSeconds()
			list, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), body)
			t.DecodeCPUSeconds += cpuSeconds() - before
			switch list := list.(type) {
			case *corev1.NodeList:
				t.Nodes += len(list.Items)
				return list.Continue, err
			case *corev1.PodList:
				t.Pods += len(list.Items)
				return list.Continue, err
			default:
				return "", errors.Join(err, errors.New("no list"))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fillInformers keeps what it has read until the process ends.
func fillInformers(ctx context.Context, client kubernetes.Interface, t *took) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	nodes, pods := factory.Core().V1().Nodes().Informer(), factory.Core().V1().Pods().Informer()
	factory.StartWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), nodes.HasSynced, pods.HasSynced) {
		return errors.New("the informers did not sync")
	}
	t.Nodes, t.Pods = len(nodes.GetStore().ListKeys()), len(pods.GetStore().ListKeys())
	return nil
}
