// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/headroom-dev/headroom/imageref"
)

// What was decided about two pods is what is decided about the third, but for what the time changes; and about pods of another
// kind it says nothing.
func TestPrecedent(t *testing.T) {
	l, p := world(available(0)...), enforcing()
	f := NewFleet(l.Snapshot(), p, epoch)
	r := RequestOf(podOf("app"))
	kept := func() (n int) {
		for i := range f.memo.precedents.values {
			if f.memo.precedents.values[i].Load() != nil {
				n++
			}
		}
		return n
	}
	later := epoch.Add(30 * time.Second)
	for i, step := range []struct {
		now  time.Time
		kept int
	}{{epoch, 0}, {epoch, 1}, {epoch, 1}, {later, 1}} {
		got := f.Evaluate(r, step.now)
		if diff := cmp.Diff(Evaluate(l.Snapshot(), r, p, step.now), got, cmpopts.EquateComparable(imageref.Ref{})); diff != "" {
			t.Errorf("pod %d (-plain +fleet):\n%s", i+1, diff)
		}
		if kept() != step.kept {
			t.Errorf("after pod %d there are %d precedents, want %d", i+1, kept(), step.kept)
		}
	}
	age := f.Evaluate(r, later).Best.Account.SampleAge
	if age != f.Evaluate(r, epoch).Best.Account.SampleAge+30*time.Second {
		t.Errorf("half a minute later the sample is %v old", age)
	}
	for what, other := range map[string]func(*Request){
		"another namespace":   func(r *Request) { r.Namespace = "other" },
		"another mode":        func(r *Request) { r.NamespaceMode = "Audit" },
		"another image":       func(r *Request) { r.Images = RequestOf(podOf("b")).Images },
		"another pull policy": func(r *Request) { r.Images[0].PullPolicy = "Never" },
		"a template":          func(r *Request) { r.Workload = &Workload{Replicas: 1} },
		"an invalid image":    func(r *Request) { r.Invalid = []imageref.Invalid{{Field: "spec.containers[0].image", Name: "B"}} },
	} {
		r := RequestOf(podOf("app"))
		other(&r)
		if diff := cmp.Diff(Evaluate(l.Snapshot(), r, p, epoch), f.Evaluate(r, epoch), cmpopts.EquateComparable(imageref.Ref{})); diff != "" {
			t.Errorf("%s (-plain +fleet):\n%s", what, diff)
		}
	}
	if next := f.Next(l.Snapshot(), p, later.Add(time.Hour)); next.memo.precedents == f.memo.precedents {
		t.Error("the next fleet has the precedents of the one before")
	}
}
