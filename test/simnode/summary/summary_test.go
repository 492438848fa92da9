// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package summary_test

import (
	"bytes"
	"testing"
	"time"

	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/headroom-dev/headroom/test/simnode/summary"
)

func TestSummariesAreAsLargeAsThoseOfBusyNodes(t *testing.T) {
	at := time.Unix(1_772_366_412, 0)
	for what, test := range map[string]struct {
		pods, interfaces      int
		least, most, nodePart int
	}{
		"a node with 110 pods":               {110, 2, 500_000, 700_000, 8 << 10},
		"a node with an interface for each":  {110, 112, 500_000, 700_000, 32 << 10},
		"a node that nothing runs on at all": {0, 2, 5_000, 8 << 10, 8 << 10},
	} {
		s := &statsv1alpha1.Summary{Pods: summary.Pods(test.pods, at)}
		summary.AddNodeFigures(&s.Node, test.interfaces, at)
		body, err := summary.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(body); n < test.least || n > test.most {
			t.Errorf("%s: %d bytes, want %d to %d", what, n, test.least, test.most)
		}
		if n := bytes.Index(body, []byte(`"pods": [`)); n < 0 || n > test.nodePart {
			t.Errorf("%s: the pods begin at byte %d, want at most %d", what, n, test.nodePart)
		}
	}
}
