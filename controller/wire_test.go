// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"math/rand"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/headroom-dev/headroom/ledger"
)

// TestLeanEventsHaveAllThatIsRead holds what is kept of objects that come as lean events against what is kept of whole ones.
func TestLeanEventsHaveAllThatIsRead(t *testing.T) {
	objects := []runtime.Object{richNode(), richPod(), feedNode(1), replicaOf(1, 1)}
	random := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(1), serializer.NewCodecFactory(scheme.Scheme)).NilChance(0.3).NumElements(0, 3)
	for range 300 {
		n, p := &corev1.Node{}, &corev1.Pod{}
		random.Fill(n)
		random.Fill(p)
		sane(p)
		objects = append(objects, n, p)
	}
	for _, object := range objects {
		event := frame("MODIFIED", object)[4:]
		whole, lean := eventOf(t, wholeStream(t), event), eventOf(t, leanStream{wholeStream(t)}, event)
		if diff := cmp.Diff(read(whole), read(lean)); diff != "" {
			t.Fatalf("a %T as it is read (-whole +lean):\n%s", object, diff)
		}
	}
}

// read is all that this package reads of an object.
func read(object runtime.Object) any {
	switch o := object.(type) {
	case *corev1.Pod:
		return slimPod(o)
	case *corev1.Node:
		return slimNode(o)
	default:
		return object
	}
}

func TestLeanEventsOfOtherThings(t *testing.T) {
	event := metav1.Status{Status: metav1.StatusFailure, Message: "too old", Code: 410}
	bookmark := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "7", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}}
	for name, test := range map[string]struct {
		kind   string
		object runtime.Object
	}{
		"the end of a streaming list": {"BOOKMARK", bookmark},
		"an error":                    {"ERROR", &event},
		"an object of another kind":   {"ADDED", &corev1.ConfigMap{Data: map[string]string{"a": "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.object, eventOf(t, leanStream{wholeStream(t)}, frame(test.kind, test.object)[4:])); diff != "" {
				t.Errorf("as sent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLeanEventsAreSmall(t *testing.T) {
	p := richPod()
	p.Spec.Containers[0].Env = make([]corev1.EnvVar, 100)
	p.ManagedFields = []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(strings.Repeat("x", 3000))}}
	event := frame("MODIFIED", p)[4:]
	lean, kept, whole := eventWire.filter(nil, event)
	if !kept || !whole || len(lean) > len(event)/3 {
		t.Errorf("%d of %d bytes are kept", len(lean), len(event))
	}
}

// FuzzLeanEvents: what is kept of an event that can be decoded can be, and is read as all of it is.
func FuzzLeanEvents(f *testing.F) {
	f.Add(frame("ADDED", richPod())[4:])
	f.Add(frame("MODIFIED", richNode())[4:])
	f.Add(frame("DELETED", replicaOf(1, 1))[4:])
	f.Add([]byte{0x12, 0x02, 0x0a, 0x80})
	f.Fuzz(func(t *testing.T, event []byte) {
		var whole, lean metav1.WatchEvent
		if _, _, err := wholeStream(t).Decode(event, nil, &whole); err != nil {
			return
		}
		object, err := runtime.Decode(objectDecoder(), whole.Object.Raw)
		if err != nil {
			return
		}
		if _, _, err := (leanStream{wholeStream(t)}).Decode(event, nil, &lean); err != nil {
			t.Fatalf("a lean event: %v", err)
		}
		got, err := runtime.Decode(objectDecoder(), lean.Object.Raw)
		if err != nil {
			t.Fatalf("the object of a lean event: %v", err)
		}
		if whole.Type != lean.Type || !reflect.DeepEqual(read(object), read(got)) {
			t.Fatalf("as it is read (-whole +lean):\n%s", cmp.Diff(read(object), read(got)))
		}
		if undecoded := leanPodIn(lean.Object.Raw); undecoded != nil {
			feed := newPodFeed()
			want := feed.row(object.(*corev1.Pod))
			for range 2 {
				if row, err := feed.rowOf(undecoded); err != nil || row.Template != want.Template || cmp.Diff(want, row, refs, placements, noTemplate) != "" {
					t.Fatalf("its row (-whole +lean), %v:\n%s", err, cmp.Diff(want, row, refs, placements, noTemplate))
				}
			}
		}
	})
}

// noTemplate leaves out what is compared by its address.
var noTemplate = cmpopts.IgnoreFields(ledger.Pod{}, "Template")

// wholeStream is what decodes events in protobuf.
func wholeStream(t testing.TB) runtime.Serializer {
	t.Helper()
	info, found := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	if !found {
		t.Fatal("no protobuf")
	}
	return info.StreamSerializer.Serializer
}

func objectDecoder() runtime.Decoder { return scheme.Codecs.UniversalDeserializer() }

func eventOf(t testing.TB, decoder runtime.Decoder, event []byte) runtime.Object {
	t.Helper()
	var got metav1.WatchEvent
	if _, _, err := decoder.Decode(event, nil, &got); err != nil {
		t.Fatal(err)
	}
	object, err := runtime.Decode(objectDecoder(), got.Object.Raw)
	if err != nil {
		t.Fatal(err)
	}
	object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{}) // as clients do
	return object
}

// BenchmarkDecodeEvent is what an event of a pod costs before this package sees it.
func BenchmarkDecodeEvent(b *testing.B) {
	event := frame("MODIFIED", richPod())[4:]
	for name, stream := range map[string]runtime.Decoder{"whole": wholeStream(b), "lean": leanStream{wholeStream(b)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				eventOf(b, stream, event)
			}
		})
	}
}
