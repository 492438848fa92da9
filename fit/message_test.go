// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

var update = flag.Bool("update", false, "write the golden files")

const gi = 1 << 30

// scenes are nodes with a disk of 100Gi on which a pod meets each verdict. The need is a bit more than fits before.
func scene(v verdict.Verdict, number int) figures {
	f := figures{need: 10 * gi, reclaimable: 5 * gi, capacity: 100 * gi, gcLine: 16 * gi, evictionLine: 15 * gi, evictionTarget: 15 * gi}
	short := int64(7+number) * gi
	switch v {
	case verdict.Fits:
		f.available = f.need + f.gcLine + short
	case verdict.TriggersGC:
		f.available = f.need + f.evictionLine + gi/2
	case verdict.PressuresDisk:
		f.available = f.need + f.evictionLine - gi
	case verdict.EvictsPods:
		f.available = f.need - f.reclaimable + f.evictionLine - short
	case verdict.FillsDisk:
		f.available = f.need - f.reclaimable - short/2
	case verdict.NeverFits:
		f.need, f.available = 90*gi, 20*gi
	case verdict.Unknown:
	}
	return f
}

// scope returns a tally of nodes on which v happens, and one of nodes on which nothing does.
func scopeOf(v verdict.Verdict, past, fine int, exact, uneven bool) tally {
	t := tally{threshold: v}
	for i := range past + fine {
		at := v
		if i >= past {
			at = verdict.Fits
		}
		f := scene(at, i)
		if uneven && i == 1 {
			f.need += 3 * gi
		}
		result := &NodeResult{Node: fmt.Sprintf("worker-%d", i+1), Need: estimate.Exactly(f.need)}
		result.Account.Available = estimate.Exactly(f.available)
		if !exact {
			result.Need.High += gi
			result.Account.Available.High += gi
		}
		t.add(result, at, f, exact)
	}
	return t
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); go test ./fit -update writes it:\n%s", path, diff)
	}
}

func TestSentences(t *testing.T) {
	var out strings.Builder
	show := func(what string, sentence func(sentences) string) {
		fmt.Fprintf(&out, "%s\n", what)
		for _, say := range []sentences{{numbers: true, names: true}, {numbers: true}, {names: true}, {}} {
			text := sentence(say)
			fmt.Fprintf(&out, "  %3d %s\n", len([]rune(text)), text)
			if !say.numbers && !say.names && strings.ContainsAny(text, "0123456789") {
				t.Errorf("%s: a figure where none may be: %s", what, text)
			}
			if !say.names && strings.Contains(text, "worker") {
				t.Errorf("%s: a node's name where none may be: %s", what, text)
			}
		}
		out.WriteString("\n")
	}
	for _, v := range verdict.All()[1:6] {
		several, one := scopeOf(v, 3, 0, false, false), scopeOf(v, 1, 0, false, false)
		exact, part, uneven := scopeOf(v, 3, 0, true, false), scopeOf(v, 9, 3, false, false), scopeOf(v, 2, 0, false, true)
		fixed := map[*policy.NodePool]*pool{}
		grows := map[*policy.NodePool]*pool{{Elastic: policy.ElasticTrue}: {reachable: true}}
		denial := func(t tally, pools map[*policy.NodePool]*pool) func(sentences) string {
			return func(w sentences) string { return w.denial(&survey{possible: t, pools: pools}) }
		}
		show(string(v)+": denied, several nodes", denial(several, fixed))
		show(string(v)+": denied, several nodes, no doubt", denial(exact, fixed))
		show(string(v)+": denied, one node", denial(one, fixed))
		show(string(v)+": denied, the need differs by node", denial(uneven, fixed))
		show(string(v)+": denied, an elastic pool", denial(several, grows))
		show(string(v)+": warned, several nodes", func(w sentences) string { return w.warning(&survey{ready: several}) })
		show(string(v)+": warned, several nodes, no doubt", func(w sentences) string { return w.warning(&survey{ready: exact}) })
		show(string(v)+": warned, one node", func(w sentences) string { return w.warning(&survey{ready: one}) })
		show(string(v)+": warned, the need differs by node", func(w sentences) string { return w.warning(&survey{ready: uneven}) })
		show(string(v)+": warned, on most nodes", func(w sentences) string { return w.warning(&survey{ready: part}) })
		show(string(v)+": warned, no node could take it now", func(w sentences) string { return w.warning(&survey{ever: several}) })
		show(string(v)+": warned, the one node could not take it now", func(w sentences) string { return w.warning(&survey{ever: one}) })
		show(string(v)+": warned, most nodes and none could take it now", func(w sentences) string { return w.warning(&survey{ever: part}) })
		show(string(v)+": allowed", func(w sentences) string { return w.allowed(&several, false) })
		show(string(v)+": allowed, one node", func(w sentences) string { return w.allowed(&one, false) })
		show(string(v)+": sent back", func(w sentences) string { return w.sentBack(&one) })
	}
	causes(show)
	fits, single := scopeOf(verdict.Fits, 3, 0, false, false), scopeOf(verdict.Fits, 1, 0, false, false)
	show("Fits", func(w sentences) string { return w.allowed(&fits, false) })
	show("Fits: one node, unschedulable now", func(w sentences) string { return w.allowed(&single, true) })
	golden(t, "sentences.txt", out.String())
}

// causes shows the sentences about nodes that are past a threshold for another reason than their bytes and a line.
func causes(show func(what string, sentence func(sentences) string)) {
	noLine := func(_ int, f *figures, _ *NodeResult) {
		f.evictionLine, f.evictionTarget, f.reclaimable = 0, 0, 0
		f.available = f.need - 2*gi
	}
	short := func(i int, f *figures, r *NodeResult) {
		r.Account.Inodes, r.Account.InodesFree, r.Account.InodeLine = 131072, int64(4000-i), 6553
		f.inodesFree, f.inodeLine = r.Account.InodesFree, r.Account.InodeLine
	}
	own := func(i int, f *figures, r *NodeResult) {
		short(i, f, r)
		r.Account.InodesFree, f.inodesFree, f.inodes = 10_000, 10_000, 5000
	}
	for _, c := range []struct {
		what string
		v    verdict.Verdict
		with func(int, *figures, *NodeResult)
	}{
		{"no eviction line", verdict.FillsDisk, noLine},
		{"short of inodes", verdict.PressuresDisk, short},
		{"short of inodes with the pod's", verdict.PressuresDisk, own},
	} {
		several, one, part := causeOf(c.v, 3, 0, c.with), causeOf(c.v, 1, 0, c.with), causeOf(c.v, 9, 3, c.with)
		show(c.what+": denied, several nodes", func(w sentences) string { return w.denial(&survey{possible: several}) })
		show(c.what+": denied, one node", func(w sentences) string { return w.denial(&survey{possible: one}) })
		show(c.what+": warned, several nodes", func(w sentences) string { return w.warning(&survey{ready: several}) })
		show(c.what+": warned, one node", func(w sentences) string { return w.warning(&survey{ready: one}) })
		show(c.what+": warned, on most nodes", func(w sentences) string { return w.warning(&survey{ready: part}) })
		show(c.what+": warned, no node could take it now", func(w sentences) string { return w.warning(&survey{ever: several}) })
		show(c.what+": allowed", func(w sentences) string { return w.allowed(&several, false) })
		show(c.what+": allowed, one node", func(w sentences) string { return w.allowed(&one, false) })
		show(c.what+": sent back", func(w sentences) string { return w.sentBack(&one) })
	}
	roomy := causeOf(verdict.Fits, 1, 0, func(_ int, f *figures, _ *NodeResult) { f.gcLine, f.evictionLine, f.evictionTarget = 0, 0, 0 })
	show("no line at all: fits", func(w sentences) string { return w.allowed(&roomy, false) })
}

// causeOf is scopeOf for nodes that are past the threshold for a reason of their own.
func causeOf(v verdict.Verdict, past, fine int, with func(int, *figures, *NodeResult)) tally {
	t := tally{threshold: v}
	for i := range past + fine {
		f := scene(verdict.Fits, i)
		result := &NodeResult{Node: fmt.Sprintf("worker-%d", i+1), Need: estimate.Between(f.need, f.need, f.need+gi)}
		result.Account.Available = estimate.Between(f.available, f.available, f.available+gi)
		at := verdict.Fits
		if i < past {
			with(i, &f, result)
			at = v
		}
		if got := f.verdict(); got != at {
			panic(fmt.Sprintf("%+v is %s, not %s", f, got, at)) // A mistake of the test.
		}
		t.add(result, at, f, false)
	}
	return t
}

func TestSentencesWithoutAnOpinion(t *testing.T) {
	var out strings.Builder
	say := sentences{numbers: true, names: true}
	r := Request{
		Namespace: "kube-system", PriorityClass: "system-node-critical", Workload: &Workload{Kind: "Deployment"},
		Invalid: []imageref.Invalid{{Field: "spec.containers[0].image"}},
	}
	for _, reason := range Reasons() {
		for _, exemption := range []string{"namespace", "priorityClass"} {
			if reason != ExemptPod && exemption != "namespace" {
				continue
			}
			d := Decision{Reason: reason, Exemption: exemption}
			fmt.Fprintf(&out, "%s: %s\n", reason, say.undecided(&d, &r))
		}
	}
	for _, reason := range []Reason{StaleSample, NotMeasured, UnknownSize} {
		for _, count := range []int{1, 2} {
			for _, w := range []sentences{{numbers: true}, {}} {
				var scope tally
				s := &survey{unsized: make([]bool, count)}
				for i := range count {
					name := fmt.Sprintf("worker-%d", i+1)
					scope.add(&NodeResult{Node: name, Why: reason}, verdict.Unknown, figures{}, false)
					ref, err := imageref.Parse("registry.example.com/models/llm:v" + strings.Repeat("i", i+1))
					if err != nil {
						t.Fatal(err)
					}
					s.images, s.unsized[i] = append(s.images, imageref.Image{Ref: ref}), true
				}
				fmt.Fprintf(&out, "%s, %d: %s\n", reason, count, w.noOpinion(s, &scope))
			}
		}
	}
	golden(t, "no-opinion.txt", out.String())
}

// Two figures that read the same would make no sense of a refusal.
func TestRoomThatReadsLikeTheNeed(t *testing.T) {
	nodes := []node{{name: "a", capacity: 100 * gi, available: 30 * gi}, {name: "b", capacity: 100 * gi, available: 29 * gi}}
	for _, m := range []policy.Mode{policy.Warn, policy.Enforce} {
		d := (&situation{nodes: nodes, registry: map[string]int64{"app": 15*gi + 1}, policy: mode(m)}).evaluate(t)
		if !strings.Contains(d.Message, "slightly less") {
			t.Errorf("%s: %s", d.Action, d.Message)
		}
	}
}

func TestReasonsAreDistinct(t *testing.T) {
	reasons := Reasons()
	slices.Sort(reasons)
	if len(slices.Compact(reasons)) != len(Reasons()) || slices.Contains(reasons, "") {
		t.Errorf("got %q", Reasons())
	}
}

func TestNamesThatDoHarmAreCutAndCleaned(t *testing.T) {
	for what, c := range map[string]struct{ name, want string }{
		"a name of 63":               {strings.Repeat("n", 63), strings.Repeat("n", 63)},
		"a name of 64":               {strings.Repeat("n", 64), strings.Repeat("n", 60) + "..."},
		"a new line":                 {"a\nWarning: b", "a?Warning: b"},
		"a terminal's escape":        {"a\x1b[2Jb", "a?[2Jb"},
		"text that runs backwards":   {"a\u202eb", "a?b"},
		"bytes that are not text":    {"a\xffb", "a?b"},
		"a megabyte of wide letters": {strings.Repeat("ü", 1<<20), strings.Repeat("ü", 60) + "..."},
	} {
		t.Run(what, func(t *testing.T) {
			if got := shown(c.name); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// checkMessage holds one message against what every message must be.
func checkMessage(t *testing.T, d *Decision, p *policy.Policy, r *Request) {
	t.Helper()
	text := d.Message
	checkPlain(t, text)
	if !p.Messages.NodeNames && d.Best.Node != "" && strings.Contains(text, d.Best.Node) {
		t.Fatalf("names a node: %q", text)
	}
	if !p.Messages.Numbers && d.Reason != UnknownSize && !p.Messages.NodeNames && strings.ContainsAny(text, "0123456789") {
		t.Fatalf("has a figure: %q", text)
	}
	for i := range 6 {
		own := slices.ContainsFunc(r.Images, func(image imageref.Image) bool { return image.Ref == imageOf(i) })
		if name := imageOf(i).Repository(); !own && strings.Contains(text, name[strings.LastIndexByte(name, '/')+1:]) {
			t.Fatalf("names an image of somebody else: %q", text)
		}
	}
}

// checkPlain holds a message against what the API server passes on.
func checkPlain(t *testing.T, text string) {
	t.Helper()
	if n := utf8.RuneCountInString(text); n > 256 || n == 0 || !utf8.ValidString(text) {
		t.Fatalf("%d characters: %q", n, text)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		t.Fatalf("what is at %d does not print: %q", i, text)
	}
}
