// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/headroom-dev/headroom/ledger"
)

// underWay is a listing of a queue that writes down what it is told, under way.
func underWay(t *testing.T, broken ...string) (*podListing, *podQueue, *[]string) {
	t.Helper()
	told := &[]string{}
	j := &journal{}
	q := newPodQueue(func(p metav1.Object) error {
		if slices.Contains(broken, p.GetName()) {
			return errors.New("no pod")
		}
		*told = append(*told, "set "+p.GetName())
		j.held = append(j.held, p.GetUID())
		return nil
	}, func(uid types.UID) { *told = append(*told, "deleted "+string(uid)) }, func(known *ledger.UIDs) []types.UID { return j.PodsBut(known) })
	l := &podListing{queue: q}
	q.begin(l)
	return l, q, told
}

// left reads what a listing leaves of a stream, as a watch does.
func left(t *testing.T, l *podListing, stream io.Reader) (kinds []string, err error) {
	t.Helper()
	frames := listingFramer{listing: l}.NewFrameReader(io.NopCloser(stream))
	decoder := streaming.NewDecoder(frames, leanStream{wholeStream(t)})
	for {
		var event metav1.WatchEvent
		if _, _, err := decoder.Decode(nil, &event); err != nil {
			return kinds, err
		}
		object, err := runtime.Decode(objectDecoder(), event.Object.Raw)
		if err != nil {
			t.Fatal(err)
		}
		name := ""
		if p, is := object.(*corev1.Pod); is {
			name = p.Name + p.ResourceVersion
		}
		kinds = append(kinds, event.Type+" "+name)
	}
}

func endOfList(version string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: version, Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}}
}

// wholePod has a spec and a status, as all pods have that an API server sends.
func wholePod(name string) *corev1.Pod {
	p := pod(name, name)
	p.ResourceVersion = "-" + name
	p.Spec.NodeName, p.Status.Phase = "node", corev1.PodRunning
	return p
}

func TestPodsOfAListDoNotGetToTheReflector(t *testing.T) {
	stream := slices.Concat(
		frame("ADDED", wholePod("a")), frame("ADDED", wholePod("b")), frame("MODIFIED", wholePod("b")), frame("DELETED", wholePod("a")),
		frame("ADDED", wholePod("broken")), frame("BOOKMARK", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "7"}}),
		frame("ERROR", &metav1.Status{Code: 410}), frame("BOOKMARK", endOfList("9")), frame("ADDED", wholePod("c")),
	)
	for name, in := range map[string]io.Reader{"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream))} {
		t.Run(name, func(t *testing.T) {
			l, _, told := underWay(t, "broken")
			kinds, err := left(t, l, in)
			if want := []string{"BOOKMARK -a", "ADDED broken-broken", "BOOKMARK 7", "ERROR ", "BOOKMARK 9", "ADDED c-c"}; !errors.Is(err, io.EOF) || !slices.Equal(kinds, want) {
				t.Errorf("the reflector gets %q, want %q; error %v", kinds, want, err)
			}
			if want := []string{"set a", "set b", "set b", "deleted a"}; !slices.Equal(*told, want) {
				t.Errorf("written: %q, want %q", *told, want)
			}
		})
	}
}

func TestTheReflectorHearsThatAListGoesOn(t *testing.T) {
	var stream []byte
	for i := range 2*progressEvery + 1 {
		stream = append(stream, frame("ADDED", wholePod(fmt.Sprint("p", i)))...)
	}
	l, _, told := underWay(t)
	kinds, _ := left(t, l, bytes.NewReader(stream))
	if want := []string{"BOOKMARK -p0", "BOOKMARK -p256", "BOOKMARK -p512"}; !slices.Equal(kinds, want) || len(*told) != 2*progressEvery+1 {
		t.Errorf("%d pods are written, and the reflector gets %q, want %q", len(*told), kinds, want)
	}
}

func TestStreamsThatAreBroken(t *testing.T) {
	a := frame("ADDED", wholePod("a"))
	for name, test := range map[string]struct {
		stream []byte
		want   error
	}{
		"in a length":        {a[:2], io.ErrUnexpectedEOF},
		"before an event":    {a[:4], io.ErrUnexpectedEOF},
		"in an event":        {slices.Concat(a, a[:20]), io.ErrUnexpectedEOF},
		"at its end":         {a, io.EOF},
		"an event too large": {binary.BigEndian.AppendUint32(nil, maxFrame+1), streaming.ErrObjectTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			l, _, _ := underWay(t)
			if _, err := left(t, l, bytes.NewReader(test.stream)); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

// What a list that broke off has told is true, and no word on what is there now.
func TestTheListThatCountsIsTheLast(t *testing.T) {
	first, q, told := underWay(t)
	if _, err := left(t, first, bytes.NewReader(slices.Concat(frame("ADDED", wholePod("a")), frame("ADDED", wholePod("b"))))); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	second := &podListing{queue: q}
	q.begin(second)
	if _, err := left(t, first, bytes.NewReader(frame("ADDED", wholePod("late")))); !errors.Is(err, errSuperseded) {
		t.Errorf("a list that does not count any more goes on: %v", err)
	}
	if _, err := left(t, second, bytes.NewReader(slices.Concat(frame("ADDED", wholePod("b")), frame("BOOKMARK", endOfList("9"))))); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := q.Replace(nil, "9"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"set a", "set b", "set b", "deleted a"}; !slices.Equal(*told, want) || q.listed.Load() != 1 {
		t.Errorf("written: %q, want %q, of a list of %d", *told, want, q.listed.Load())
	}
	*told = nil
	third := &podListing{queue: q}
	q.begin(third)
	if taken, err := q.take(third, watch.Error); taken || err != nil {
		t.Errorf("an error is taken for a pod: %v, %v", taken, err)
	}
	if _, err := left(t, third, bytes.NewReader(frame("ADDED", wholePod("b")))); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	q.begin(nil) // the reflector lists without a stream
	if err := q.Replace([]any{wholePod("c")}, "10"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(*told, ", "), "set c, deleted a, deleted b") {
		t.Errorf("written: %q: a pod that only a list had which broke off is still there", *told)
	}
}
