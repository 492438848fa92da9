// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	lt "github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/policy"
)

// BenchmarkBindings3000Nodes is what one replica answers: a scheduler can bind no more pods than that.
func BenchmarkBindings3000Nodes(b *testing.B) {
	const gi = 1 << 30 // One in ten nodes has room.
	for what, c := range map[string]struct {
		mode   policy.Mode
		image  string
		offset int // 0 for a node with room, 1 for a full one
		label  string
	}{
		"Off":         {policy.Warn, "big", 1, "off"},
		"Fits":        {policy.Enforce, "big", 0, "fits"},
		"OtherNode":   {policy.Enforce, "big", 1, "sent-back"},
		"NoOtherNode": {policy.Enforce, "huge", 1, "no-other-node"},
	} {
		b.Run(what, func(b *testing.B) {
			w := lt.New(b)
			images := make([]string, 50)
			for i := range images {
				images[i] = fmt.Sprintf("app-%02d=%d", i, 100<<20)
			}
			for i := range 3000 {
				available := int64(18 * gi)
				if i%10 == 0 {
					available = 90 * gi
				}
				w.Node(fmt.Sprintf("node-%04d", i), lt.Disk(100*gi, available), lt.Lists(images...))
				for pod := range 10 {
					w.Pod(fmt.Sprintf("runs-%d-%d", i, pod), lt.On(fmt.Sprintf("node-%04d", i)), lt.Runs(w.Now.Add(-time.Hour), fmt.Sprintf("app-%02d", pod)))
				}
			}
			w.Registry("big", 10*gi)
			w.Registry("huge", 99*gi)
			const pods = 500
			for i := range pods {
				w.Pod(fmt.Sprint("waits-", i), lt.Wants(c.image))
			}
			p := policy.Default()
			p.Mode = c.mode
			e := fit.Evaluator{Snapshot: func() *ledger.Snapshot { return w.Ledger.Snapshot() }, Policy: func() *policy.Policy { return p }, Clock: func() time.Time { return w.Now }}
			m := NewMetrics(nil)
			h := NewBindings(HandlerOptions{Metrics: m}, Bindings{
				Unsteered: e.Unsteered, Steer: e.Steer, SendBack: func(SendBack) fit.Reason { return "" },
			})
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(next.Add(1))
					body := bindingReview(b, func(r *admissionv1.AdmissionReview) {
						r.Request.Namespace, r.Request.Name = "team", fmt.Sprint("waits-", i%pods)
					}, boundTo(fmt.Sprint("waits-", i%pods), fmt.Sprintf("node-%04d", (i*10+c.offset)%3000)))
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(b.Context(), http.MethodPost, BindingsPath+"?timeout=2s", bytes.NewReader(body)))
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bindings/s")
			if n := testutil.ToFloat64(m.bindings.WithLabelValues(c.label)); n != float64(b.N) {
				b.Errorf("%v of %d bindings are %s", n, b.N, c.label)
			}
		})
	}
}
