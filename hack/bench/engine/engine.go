// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engine gives Headroom's rule to Gatekeeper, as a referential constraint over synced Nodes, and reads what `gator bench`
// says about it.
//
// Contract: Nodes are those of a fleet that is nearly full; the capacity in each object is what makes it so, because the rule
// knows no kubelet's figures.
package engine

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/review"
)

// The rule.
var (
	//go:embed rule/template.yaml
	template string
	//go:embed rule/constraint.yaml
	constraint string
)

// factor is the constraint's: what a byte that containerd reports takes on the disk.
const factor = 3

// copies of each kind of pod are reviewed, so that a run takes longer than what disturbs it.
const copies = 2

// Write writes all that gator is to read, but the constraint, to a folder, and returns how many pods are among it.
func Write(dir string, f fleet.Spec) (pods int, err error) {
	if err := os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(template), 0o600); err != nil {
		return 0, err
	}
	file, err := os.Create(filepath.Join(dir, "objects.yaml"))
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriter(file)
	defer func() { err = errors.Join(err, out.Flush(), file.Close()) }()
	encoder := json.NewEncoder(out) // JSON is YAML
	add := func(object any) error {
		if _, err := out.WriteString("---\n"); err != nil {
			return err
		}
		return encoder.Encode(object)
	}
	for i := range f.Nodes {
		if err := add(full(f.Node(i))); err != nil {
			return 0, err
		}
	}
	for again := range copies {
		for i, pod := range review.Pods(fleet.Wanted()) {
			pod.Name = fmt.Sprintf("reviewed-%d-%d", again, i)
			if err := add(pod); err != nil {
				return 0, err
			}
			pods++
		}
	}
	return pods, nil
}

// full gives a node a disk of which its images leave 15 %, where the line is: what else comes goes past it.
func full(node *corev1.Node) *corev1.Node {
	var bytes int64
	for _, image := range node.Status.Images {
		bytes += image.SizeBytes
	}
	node.Status.Capacity[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(bytes*factor*100/85, resource.DecimalSI)
	return node
}

// WriteConstraint writes the constraint to a file. It is about pods, or, not about them, about nothing that there is.
func WriteConstraint(path string, aboutPods bool) error {
	kind := "Pod"
	if !aboutPods {
		kind = "Nothing"
	}
	return os.WriteFile(path, []byte(strings.Replace(constraint, "KIND", kind, 1)), 0o600)
}

// Violations reads from the output of `gator bench --output=json` how many the rule found. How long that took is not taken from
// there: it is what a clock says, and other processes have the processors, too.
func Violations(out []byte) (int, error) {
	var runs []struct {
		TotalReviews   int `json:"totalReviews"`
		ViolationCount int `json:"violationCount"`
	}
	if err := json.Unmarshal(out, &runs); err != nil {
		return 0, fmt.Errorf("gator's output: %w", err)
	}
	if len(runs) != 1 || runs[0].TotalReviews == 0 {
		return 0, fmt.Errorf("gator's output has %d runs, want one with reviews: %s", len(runs), out)
	}
	return runs[0].ViolationCount, nil
}
