// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/verdict"
)

// A binding that is let through is told to those after it, for as long as the ledger may not have it.
func TestBindingsKnowOfThoseBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &steerer{}
		h := NewBindings(HandlerOptions{}, s.options())
		bind := func(pod, node string, answer fit.Steering, change ...func(*admissionv1.AdmissionReview)) []types.UID {
			s.answer = answer
			s.answer.Pod = types.UID(pod)
			change = append(change, func(r *admissionv1.AdmissionReview) {
				r.Request.Object.Raw = []byte(`{"target":{"name":"` + node + `"}}`)
			})
			postBinding(t, h, bindingReview(t, change...))
			return s.bindings[len(s.bindings)-1].Before
		}
		fits := fit.Steering{Verdict: verdict.Fits, Mode: policy.Enforce}
		for _, step := range []struct {
			pod, node string
			answer    fit.Steering
			change    func(*admissionv1.AdmissionReview)
			want      []types.UID
		}{
			{"a", "n", fits, nil, nil},
			{"b", "n", fits, dryRun, []types.UID{"a"}},
			{"c", "n", tooFull, nil, []types.UID{"a"}},
			{"", "n", fits, nil, []types.UID{"a"}},
			{"d", "m", fits, nil, nil},
			{"e", "n", fits, nil, []types.UID{"a"}},
			{"f", "n", fits, nil, []types.UID{"a", "e"}},
			{"a", "n", tooFull, nil, []types.UID{"a", "e", "f"}},
			{"e", "n", fits, nil, []types.UID{"e", "f"}},
		} {
			changes := []func(*admissionv1.AdmissionReview){}
			if step.change != nil {
				changes = append(changes, step.change)
			}
			if diff := cmp.Diff(step.want, bind(step.pod, step.node, step.answer, changes...)); diff != "" {
				t.Errorf("%s to %s: before it went (-want +got):\n%s", step.pod, step.node, diff)
			}
		}
		time.Sleep(recentFor - time.Second)
		bind("g", "n", fits)
		time.Sleep(time.Second)
		if diff := cmp.Diff([]types.UID{"g"}, bind("h", "n", fits)); diff != "" {
			t.Errorf("after %v: before it went (-want +got):\n%s", recentFor, diff)
		}
	})
	var many recentBindings
	for i := range 2 * maxRecent {
		many.judged(fmt.Sprint("n", i%100), types.UID(strconv.Itoa(i%(maxRecent+1))), true, time.Time{})
	}
	many.judged("n", types.UID(strings.Repeat("u", maxRecentText+1)), true, time.Time{})
	many.judged(strings.Repeat("n", maxRecentText+1), "u", true, time.Time{})
	listed := 0
	for _, pods := range many.nodes {
		listed += len(pods)
	}
	if many.order.Len() != maxRecent || len(many.pods) != maxRecent || listed != maxRecent {
		t.Errorf("%d are remembered, %d pods, %d on nodes, want %d", many.order.Len(), len(many.pods), listed, maxRecent)
	}
	if pods := many.to("n1", time.Time{}.Add(recentFor)); len(pods)+len(many.pods)+len(many.nodes)+many.order.Len() != 0 {
		t.Errorf("%d pods on %d nodes are never forgotten", len(many.pods), len(many.nodes))
	}
}

// TestAllOfANodeAreForgottenAtOnce: it is done under the lock that all bindings take, and must not take the square of their number.
func TestAllOfANodeAreForgottenAtOnce(t *testing.T) {
	var r recentBindings
	begin := time.Time{}
	for i := range maxRecent {
		r.judged("n", types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i)), true, begin)
	}
	started := time.Now()
	if left := r.to("n", begin.Add(recentFor)); len(left) != 0 || len(r.pods) != 0 || len(r.nodes) != 0 {
		t.Errorf("%d of them are left", len(left))
	}
	if took := time.Since(started); took > time.Second { // some milliseconds; by the square, four seconds
		t.Errorf("forgetting %d took %v", maxRecent, took)
	}
}
