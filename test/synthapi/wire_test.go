// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// TestWireIsThatOfApimachinery holds what is written here by hand against apimachinery's serializers, byte for byte.
func TestWireIsThatOfApimachinery(t *testing.T) {
	s := start(t, smallFleet())
	c := s.world.collections[Pods]
	serializer := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	all := c.snapshot()
	list := &corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "77", Continue: "next", RemainingItemCount: new(int64(3))}}
	all.each(0, func(i item) bool {
		o, err := c.decoded(&i)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := serializer.Encode(o, &want); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want.Bytes(), c.appendWhole(nil, &i)) {
			t.Fatalf("%s is not encoded as apimachinery does", o.GetName())
		}
		event := metav1.WatchEvent{Type: string(watch.Modified), Object: runtime.RawExtension{Raw: want.Bytes()}}
		encoded, err := event.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var frame bytes.Buffer
		if _, err := protobuf.LengthDelimitedFramer.NewFrameWriter(&frame).Write(encoded); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(frame.Bytes(), c.appendFrame(nil, watch.Modified, &i)) {
			t.Fatalf("the event about %s is not encoded as apimachinery does", o.GetName())
		}
		list.Items = append(list.Items, *o.(*corev1.Pod))
		return true
	})
	for i := range list.Items {
		list.Items[i].TypeMeta = metav1.TypeMeta{}
	}
	var want, got bytes.Buffer
	if err := serializer.Encode(list, &want); err != nil {
		t.Fatal(err)
	}
	p := &page{snapshot: all, matches: func(item) bool { return true }}
	c.measure(p)
	p.meta = list.ListMeta
	c.writeProtobufList(&counted{w: &got, bytes: &s.counts.listBytes}, p)
	if !bytes.Equal(want.Bytes(), got.Bytes()) {
		t.Fatal("the list is not encoded as apimachinery does")
	}
	if diff := cmp.Diff(uint64(got.Len()), s.Counts().ListBytes); diff != "" {
		t.Errorf("bytes that are counted (-want +got):\n%s", diff)
	}
}
