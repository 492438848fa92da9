// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// gib is a node with a disk of 100Gi, of which so much is available, and on which a pod with an image of 10Gi meets each
// verdict by that alone: 26 fits, 25 triggers the GC, 24 evicts pods, 10 fills the disk.
func gib(name string, available float64) node {
	return node{name: name, capacity: 100 * gi, available: int64(available * gi)}
}

func gibs(available ...float64) []node {
	var nodes []node
	for i, a := range available {
		nodes = append(nodes, gib(fmt.Sprintf("worker-%d", i+1), a))
	}
	return nodes
}

// What templates are told, in Warn and in Enforce, with and without figures and names.
func TestSentencesOfTemplates(t *testing.T) {
	const roomy, trims, evicts, fills = 80, 25.5, 22, 8
	several := func(count int, available float64) []float64 {
		var all []float64
		for range count {
			all = append(all, available)
		}
		return all
	}
	mixed := func(counts ...any) []node {
		var all []float64
		for i := 0; i < len(counts); i += 2 {
			switch available := counts[i+1].(type) {
			case int:
				all = append(all, several(counts[i].(int), float64(available))...)
			case float64:
				all = append(all, several(counts[i].(int), available)...)
			}
		}
		return gibs(all...)
	}
	unmeasured := func(nodes []node, count int) []node {
		for i := range count {
			nodes[len(nodes)-1-i].unmeasured = true
		}
		return nodes
	}
	there := func(nodes []node) []node {
		for i := range nodes {
			nodes[i].images = map[string]int64{"app": 10 * gi}
		}
		return nodes
	}
	short := func(nodes []node, count int) []node {
		for i := range count {
			nodes[i].inodes, nodes[i].inodesFree = 131072, 4000
		}
		return nodes
	}
	cordoned := func(nodes []node) []node {
		for i := range nodes {
			nodes[i].cordoned = true
		}
		return nodes
	}
	estimated := func(p *policy.Policy) {
		p.NodePools[0].DiskFactor = &estimate.Factor{Low: 0.9, Likely: 1, High: 1.2}
	}
	pressure := func(p *policy.Policy) { estimated(p); p.WarnAt = verdict.PressuresDisk }
	job := &Workload{Kind: "Job", Replicas: 5}
	lineless := func(l *ledger.Ledger) {
		for i := range 12 {
			name := fmt.Sprintf("worker-%d", i+1)
			l.SetLines(name, "", ledger.Lines{GCHighPercent: 85, GCLowPercent: 80, MaxImagesListed: -1})
		}
	}
	var out strings.Builder
	for _, c := range []struct {
		what string
		situation
	}{
		{"too few good nodes for the replicas", situation{pod: apart, nodes: mixed(2, roomy, 5, fills, 5, roomy), workload: deployment(10)}},
		{"too few on three nodes", situation{pod: apart, nodes: mixed(1, evicts, 2, roomy), workload: deployment(3)}},
		{"too few, some of them perhaps", situation{pod: apart, nodes: unmeasured(mixed(5, evicts, 7, roomy), 3), workload: deployment(10)}},
		{"too little room on the good nodes", situation{pod: wants("3"), nodes: mixed(2, evicts, 4, roomy), workload: deployment(10)}},
		{"too few for the pods of a Job", situation{pod: apart, nodes: mixed(2, evicts, 4, roomy), workload: job}},
		{"too few, and none could take one now", situation{pod: apart, nodes: cordoned(mixed(1, evicts, 2, roomy)), workload: deployment(3)}},
		{"too few without an eviction line for images", situation{pod: apart, nodes: mixed(5, fills, 7, roomy), workload: deployment(10), ledger: lineless}},
		{"too few with inodes", situation{pod: apart, nodes: short(mixed(12, roomy), 5), workload: deployment(10), policy: pressure}},
		{"most nodes are too full for replicas", situation{nodes: mixed(9, evicts, 3, roomy), workload: deployment(2)}},
		{"all nodes are too full for replicas", situation{nodes: mixed(3, evicts), workload: deployment(5)}},
		{"one node, too full", situation{nodes: mixed(1, evicts), workload: deployment(5)}},
		{"a good node for many replicas", situation{nodes: mixed(3, evicts, 9, roomy), workload: deployment(200)}},
		{"enough good nodes", situation{nodes: mixed(3, evicts, 9, roomy), workload: deployment(4)}},
		{"enough good nodes for the pods of a Job", situation{nodes: mixed(3, evicts, 9, roomy), workload: job}},
		{"one replica that fits", situation{nodes: mixed(3, evicts, 9, roomy), workload: deployment(1)}},
		{"one node for many replicas", situation{nodes: mixed(1, roomy), workload: deployment(4)}},
		{"no replicas", situation{nodes: mixed(3, evicts), workload: deployment(0)}},
		{"no pods of a Job", situation{nodes: mixed(3, evicts), workload: &Workload{Kind: "CronJob"}}},

		{"every node: some evict", situation{nodes: mixed(3, evicts, 9, roomy), workload: daemonSet()}},
		{"every node: most evict", situation{nodes: mixed(9, evicts, 3, roomy), workload: daemonSet()}},
		{"every node: some evict, one is filled", situation{nodes: mixed(2, evicts, 1, fills, 9, roomy), workload: daemonSet()}},
		{"every node: all evict", situation{nodes: mixed(12, evicts), workload: daemonSet()}},
		{"every node: all, in two ways", situation{nodes: mixed(10, evicts, 2, fills), workload: daemonSet()}},
		{"every node: some, in four ways", situation{
			nodes: append(short(mixed(2, roomy, 3, evicts, 1, fills, 5, roomy), 1), node{name: "small", capacity: 10 * gi, available: 9 * gi}), workload: daemonSet(), policy: pressure,
		}},
		{"every node: the need differs", situation{
			nodes: append(mixed(2, evicts, 9, roomy), node{name: "worker-12", capacity: 100 * gi, available: 16 * gi, images: map[string]int64{"app": 10 * gi}}),
			pod:   podIs("app", "side"), registry: map[string]int64{"app": 10 * gi, "side": 3 * gi}, workload: daemonSet(),
		}},
		{"every node: the only one", situation{nodes: mixed(1, evicts), workload: daemonSet()}},
		{"every node: none could take one now", situation{nodes: notReady(mixed(3, evicts, 9, roomy)), workload: daemonSet()}},
		{"every node: some are short of inodes", situation{nodes: short(mixed(12, roomy), 3), workload: daemonSet(), policy: pressure}},
		{"every node: some have no eviction line", situation{nodes: mixed(3, fills, 9, roomy), workload: daemonSet(), ledger: lineless}},
		{"every node: the low bound is not past the line", situation{nodes: mixed(1, 24.5, 2, evicts, 9, roomy), workload: daemonSet()}},
		{"every node: fits", situation{nodes: mixed(12, roomy), workload: daemonSet()}},
		{"every node: fits, nothing to pull", situation{nodes: there(mixed(2, roomy)), workload: daemonSet()}},
		{"every node: fits, most to pull on one", situation{nodes: append(there(mixed(2, roomy)), gib("worker-3", roomy)), workload: daemonSet()}},
		{"every node: fits the only one", situation{nodes: mixed(1, roomy), workload: daemonSet()}},
		{"every node: images would be trimmed on some", situation{nodes: mixed(3, trims, 9, roomy), workload: daemonSet()}},
		{"every node: images would be trimmed on all", situation{nodes: mixed(3, trims), workload: daemonSet()}},
		{"every node: nobody knows enough of some", situation{nodes: unmeasured(mixed(12, roomy), 3), workload: daemonSet()}},
	} {
		fmt.Fprintf(&out, "%s\n", c.what)
		for _, m := range []policy.Mode{policy.Warn, policy.Enforce} {
			said := map[string]bool{}
			for _, messages := range []policy.Messages{{Numbers: true, NodeNames: true}, {Numbers: true}, {NodeNames: true}, {}} {
				s := c.situation
				if s.registry == nil {
					s.registry = map[string]int64{"app": 10 * gi}
				}
				s.policy = func(p *policy.Policy) {
					if estimated(p); c.policy != nil {
						c.policy(p)
					}
					p.Mode, p.Messages = m, messages
				}
				d := s.evaluate(t)
				checkPlain(t, d.Message)
				if !messages.Numbers && !messages.NodeNames && strings.ContainsAny(d.Message, "0123456789") {
					t.Errorf("%s: a figure where none may be: %s", c.what, d.Message)
				}
				if !messages.NodeNames && strings.Contains(d.Message, "worker") {
					t.Errorf("%s: a node's name where none may be: %s", c.what, d.Message)
				}
				if strings.HasSuffix(d.Message, "...") {
					t.Errorf("%s: cut: %s", c.what, d.Message)
				}
				if line := fmt.Sprintf("  %-7s %-5s %3d %s\n", m, d.Action, len([]rune(d.Message)), d.Message); !said[line] {
					said[line] = true
					out.WriteString(line)
				}
			}
		}
		out.WriteString("\n")
	}
	golden(t, "templates.txt", out.String())
}

// What follows from a sentence is there however long that is.
func TestWhatFollowsIsNotCutOff(t *testing.T) {
	long := line(strings.Repeat("a sentence without an end ", 20))
	for _, more := range []string{"", "; its pods would be refused", "; a new node of pool größer could take it"} {
		for _, sentence := range []string{long, long[:maxRunes-20], "image storage: short"} {
			said := sentences{}.and(sentence, more)
			if n := utf8.RuneCountInString(said); n > maxRunes || !strings.HasSuffix(said, more) || !strings.HasPrefix(said, sentence[:15]) {
				t.Errorf("%q and %q: %d runes: %q", sentence, more, n, said)
			}
		}
	}
}
