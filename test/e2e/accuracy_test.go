// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/hack/lab"
)

// accuracyPolicy tells Headroom nothing about what images take. It has a pool for
// each of the two ways that nodes are set up.
const accuracyPolicy = `mode: Audit
nodePools:
- {name: keeps, selector: {matchLabels: {compressed: kept}}, elastic: false}
- {name: discards, selector: {matchLabels: {compressed: discarded}}, elastic: false}`

// containerBytes is the most that a pod takes for each container without its images:
// the snapshots of its sandbox and containers, and what the runtime writes down about
// them. It is part of what is measured, and no part of what images need.
const containerBytes = 256 << 10

// What must hold, and in how many rows at least. That the interval holds what was
// measured must be so in all.
const (
	closeRows, closePercent, closeBytes = 14, 3, 4 << 20
	narrowRows, narrowPercent           = 12, 15
)

// TestAccuracy compares what Headroom predicts that a pod's images will take with
// what they then take. With -update it writes docs/accuracy.md.
func TestAccuracy(t *testing.T) {
	a := accuracyWorld{pupils: []*lab.Node{
		startBareNode(t, lab.NodeOptions{Name: "keeps", DiskBytes: 8 << 30, Labels: map[string]string{"compressed": "kept"}}),
		startBareNode(t, lab.NodeOptions{Name: "discards", DiskBytes: 4 << 30, DiscardUnpackedLayers: true, Labels: map[string]string{"compressed": "discarded"}}),
	}}
	a.namespace = namespace(t, "accuracy")
	setPolicy(t, accuracyPolicy)
	a.headroom = startHeadroom(t, "--registry-tag-ttl", "1s", "--kubelet-interval", "5s", "--kubelet-pending-interval", "2s")
	a.learn(t)
	a.awaitListed(t, lesson(lessons-1).Name, a.pupils...)

	var table []accuracyRow
	for i, s := range shapes() {
		t.Run(s.title, func(t *testing.T) {
			row := a.measure(t, s, fmt.Sprintf("shape%02d", i))
			t.Logf("%s; predicted %s", describeBytes(row.measured), row.predicted)
			if row.measured < row.predicted.low || row.measured-s.ownBytes() > row.predicted.high {
				t.Errorf("measured %d bytes, outside of the prediction %s", row.measured, row.predicted)
			}
			table = append(table, row)
		})
	}
	checkAccuracy(t, table)
	checkAccuracyPage(t, table)
}

// ownBytes is what of the measured bytes may be the pod's own.
func (s shape) ownBytes() int64 { return int64(len(s.all())) * containerBytes }

// checkAccuracy counts the rows whose likely value is close and whose interval is narrow.
func checkAccuracy(t *testing.T, table []accuracyRow) {
	t.Helper()
	near, narrow := 0, 0
	for _, row := range table {
		half := (row.predicted.high - row.predicted.low) / 2
		if isNear(row.predicted.likely, row.measured) {
			near++
		} else if row.title == tinyFiles {
			t.Errorf("%s: the likely value is %s, measured were %s", row.title, describeBytes(row.predicted.likely), describeBytes(row.measured))
		}
		// Of next to nothing no percentage says anything.
		if row.measured >= mib && half <= row.measured*narrowPercent/100 {
			narrow++
		}
	}
	t.Logf("of %d rows, the likely value is close in %d and the interval narrow in %d", len(table), near, narrow)
	if near < closeRows || narrow < narrowRows {
		t.Errorf("want the likely value within %d %% or %s in %d rows, and intervals of at most ±%d %% in %d",
			closePercent, describeBytes(closeBytes), closeRows, narrowPercent, narrowRows)
	}
}

// measure runs the pod of a shape and compares.
func (a *accuracyWorld) measure(t *testing.T, s shape, name string) accuracyRow {
	t.Helper()
	for _, image := range s.images {
		if _, err := shared.registry.Push(t.Context(), image); err != nil {
			t.Fatal(err)
		}
	}
	node := a.pupils[0]
	if s.discards {
		node = a.pupils[1]
	}
	if s.listed != "" {
		a.awaitListed(t, s.listed, node)
	}
	a.scout(t, s, name, node)
	before := settled(t, node, stillness)
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), s.pod(t, a.namespace, name, node.Name, false), "create", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	waitReady(t, podOptions{namespace: a.namespace, name: name})
	after := settled(t, node, s.stillness())
	return accuracyRow{title: s.title, predicted: parseInterval(t, annotationsOf(t, a.namespace, name)["need"]), measured: before - after}
}

// scout has Headroom look for the sizes of a shape's images, as a pod does that
// waits to be scheduled, until what it says of such a pod no longer changes.
func (a *accuracyWorld) scout(t *testing.T, s shape, name string, node *lab.Node) {
	t.Helper()
	if _, stderr, err := shared.plane.KubectlInput(t.Context(), s.pod(t, a.namespace, "scout", node.Name, true), "create", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	last, same := "", 0
	eventually(t, 30*time.Second, "Headroom knows the sizes of "+strings.Join(s.all(), ", "), func() bool {
		body := s.pod(t, a.namespace, name, node.Name, false)
		if _, stderr, err := shared.plane.KubectlInput(t.Context(), body, "create", "--dry-run=server", "-f", "-"); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		annotations := annotationsOf(t, a.namespace, name)
		if annotations["undecided"] != "" || annotations["need"] != last {
			last, same = annotations["need"], 0
			return false
		}
		same++
		return same == 3
	})
	kubectl(t, "delete", "pod", "-n", a.namespace, "scout", "--wait=true")
}
