// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

func TestParsePulled(t *testing.T) {
	type result struct {
		Name  string
		Bytes int64
	}
	for message, want := range map[string]result{
		`Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: 70500000 bytes.`:                                   {"nginx:1", 70500000},
		`(combined from similar events): Successfully pulled image "a.io/b@sha256:ff" in 1ms (1ms including waiting). Image size: 7 bytes.`: {"a.io/b@sha256:ff", 7},
		fmt.Sprintf("Successfully pulled image %q in %v (%v including waiting). Image size: %v bytes.", "a\"\n. Image size: 5 bytes.", time.Second, time.Minute, 9): {
			"a\"\n. Image size: 5 bytes.", 9,
		},
		`Successfully pulled image "nginx:1" in 1.5s (2s including waiting)`:                                               {},
		`Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: 0 bytes.`:                         {},
		`Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: -5 bytes.`:                        {},
		`Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: +5 bytes.`:                        {},
		`Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: 99999999999999999999 bytes.`:      {},
		`Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: 1125899906842625 bytes.`:          {},
		`Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: 5 bytes. Image size: 7 bytes.`:    {},
		`Successfully pulled image "nginx:1 in 1.5s (2s including waiting). Image size: 5 bytes.`:                          {},
		"Successfully pulled image `nginx:1` in 1.5s (2s including waiting). Image size: 5 bytes.":                         {},
		`Successfully pulled image "" in 1.5s (2s including waiting). Image size: 5 bytes.`:                                {},
		`Container image "nginx:1" already present on machine and can be accessed by the pod`:                              {},
		`Successfully pulled image "` + strings.Repeat("a", 5000) + `" in 1s (2s including waiting). Image size: 5 bytes.`: {},
		"": {},
	} {
		name, bytes, found := parsePulled(message)
		if diff := cmp.Diff(want, result{name, bytes}); diff != "" || found != (want != result{}) {
			t.Errorf("%.200s: found %v (-want +got):\n%s", message, found, diff)
		}
	}
}

// FuzzParsePulled: what is found is what the kubelet would write of it.
func FuzzParsePulled(f *testing.F) {
	f.Add(`Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: 70500000 bytes.`)
	f.Add(`(combined from similar events): Successfully pulled image "a" in . Image size: 1 bytes.`)
	f.Add(`Successfully pulled image "\xff\n" in . Image size: 007 bytes.`)
	f.Add("")
	f.Fuzz(func(t *testing.T, message string) {
		name, bytes, found := parsePulled(message)
		switch {
		case !found && (name != "" || bytes != 0):
			t.Errorf("nothing found, but %q, %d", name, bytes)
		case found && (name == "" || bytes <= 0 || bytes > maxPulledBytes):
			t.Errorf("found %q, %d", name, bytes)
		case found && !strings.HasSuffix(message, strconv.FormatInt(bytes, 10)+" bytes."):
			t.Errorf("%d bytes are not in %q", bytes, message)
		}
	})
}

// pulledJournal is a real ledger that writes down what events tell.
type pulledJournal struct {
	*ledger.Ledger
	lines []string
}

func (j *pulledJournal) SetPulled(ref imageref.Ref, rt imagesize.Runtime, p imagesize.Platform, bytes int64) {
	j.lines = append(j.lines, fmt.Sprintf("%s %s %s/%s %d", ref.Familiar(), rt, p.OS, p.Architecture, bytes))
}

func pulledEvent(image string, bytes int64, change func(*corev1.Event)) *corev1.Event {
	e := &corev1.Event{
		Reason: "Pulled", Source: corev1.EventSource{Component: "kubelet", Host: "n"}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "ns", Name: "p"},
		Message: fmt.Sprintf("Successfully pulled image %q in 1s (1s including waiting). Image size: %d bytes.", image, bytes),
	}
	change(e)
	return e
}

func TestPulledSizes(t *testing.T) {
	j := &pulledJournal{Ledger: ledger.New()}
	j.MarkSynced()
	j.SetNode(wantingNodeRow("n", "amd64", imagesize.Containerd))
	j.SetNode(wantingNodeRow("arm", "arm64", imagesize.CRIO))
	j.SetNode(wantingNodeRow("odd", "amd64", imagesize.OtherRuntime))
	p := NewPulledSizes(nil, j)
	same := func(*corev1.Event) {}
	for _, step := range []struct {
		name  string
		event *corev1.Event
		want  []string
	}{
		{"a pull", pulledEvent("app:1", 7, same), []string{"app:1 containerd linux/amd64 7"}},
		{"the same again", pulledEvent("app:1", 7, same), nil},
		{"the tag has moved", pulledEvent("app:1", 8, same), []string{"app:1 containerd linux/amd64 8"}},
		{"another node", pulledEvent("app:1", 20, func(e *corev1.Event) { e.Source.Host = "arm" }), []string{"app:1 cri-o linux/arm64 20"}},
		{"a node nobody knows", pulledEvent("app:2", 7, func(e *corev1.Event) { e.Source.Host = "m" }), nil},
		{"a runtime whose unit nobody knows", pulledEvent("app:2", 7, func(e *corev1.Event) { e.Source.Host = "odd" }), nil},
		{"not of a kubelet", pulledEvent("app:2", 7, func(e *corev1.Event) { e.Source.Component = "me" }), nil},
		{"not about a pod", pulledEvent("app:2", 7, func(e *corev1.Event) { e.InvolvedObject.Kind = "Node" }), nil},
		{"another reason", pulledEvent("app:2", 7, func(e *corev1.Event) { e.Reason = "Pulling" }), nil},
		{"no name", pulledEvent("App::2", 7, same), nil},
	} {
		p.take(step.event)
		if diff := cmp.Diff(step.want, j.lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		j.lines = nil
	}
	for i := range maxPulledImages {
		p.take(pulledEvent("new:"+strconv.Itoa(i), 7, same))
	}
	back := []string{}
	for _, line := range j.lines {
		if strings.HasSuffix(line, " 0") {
			back = append(back, line)
		}
	}
	if diff := cmp.Diff([]string{"app:1 containerd linux/amd64 0", "app:1 cri-o linux/arm64 0"}, back); diff != "" || p.Len() != maxPulledImages {
		t.Errorf("%d images are remembered; taken back (-want +got):\n%s", p.Len(), diff)
	}
}
