// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTurnsAreTakenForwardsAndBackwards(t *testing.T) {
	var got []int
	p := Part{Rounds: 3}
	err := p.turns(3, func(round, i int) error {
		got = append(got, 10*round+i)
		return nil
	})
	if diff := cmp.Diff([]int{0, 1, 2, 12, 11, 10, 20, 21, 22}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestFirstErrorEndsTheTurns(t *testing.T) {
	calls, broken := 0, errors.New("broken")
	p := Part{Rounds: 2}
	err := p.turns(2, func(int, int) error { calls++; return broken })
	if !errors.Is(err, broken) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

func TestGeneratorAndServersShareNoProcessor(t *testing.T) {
	for _, core := range loadCores() {
		for _, other := range serverCores() {
			if core == other {
				t.Errorf("both are on processor %d", core)
			}
		}
	}
}

// scraped is what a real API server and Headroom tell, shortened.
const scraped = `# HELP apiserver_admission_webhook_admission_duration_seconds [STABLE] Latency
# TYPE apiserver_admission_webhook_admission_duration_seconds histogram
apiserver_admission_webhook_admission_duration_seconds_bucket{name="pods.headroom.dev",operation="CREATE",rejected="false",type="validating",le="0.005"} 990
apiserver_admission_webhook_admission_duration_seconds_bucket{name="pods.headroom.dev",operation="CREATE",rejected="false",type="validating",le="0.025"} 999
apiserver_admission_webhook_admission_duration_seconds_bucket{name="pods.headroom.dev",operation="CREATE",rejected="false",type="validating",le="+Inf"} 1000
apiserver_admission_webhook_admission_duration_seconds_sum{name="pods.headroom.dev",operation="CREATE",rejected="false",type="validating"} 2.5
apiserver_admission_webhook_admission_duration_seconds_count{name="pods.headroom.dev",operation="CREATE",rejected="false",type="validating"} 1000
apiserver_admission_webhook_admission_duration_seconds_bucket{name="pods.headroom.dev",operation="CREATE",rejected="true",type="validating",le="0.005"} 1
apiserver_admission_webhook_admission_duration_seconds_bucket{name="pods.headroom.dev",operation="CREATE",rejected="true",type="validating",le="+Inf"} 2
apiserver_admission_webhook_admission_duration_seconds_sum{name="pods.headroom.dev",operation="CREATE",rejected="true",type="validating"} 0.1
apiserver_admission_webhook_admission_duration_seconds_count{name="pods.headroom.dev",operation="CREATE",rejected="true",type="validating"} 2
apiserver_admission_webhook_admission_duration_seconds_bucket{name="pods.headroom.dev",operation="UPDATE",rejected="false",type="validating",le="0.005"} 500
apiserver_admission_webhook_admission_duration_seconds_bucket{name="pods.headroom.dev",operation="UPDATE",rejected="false",type="validating",le="+Inf"} 500
apiserver_admission_webhook_admission_duration_seconds_sum{name="pods.headroom.dev",operation="UPDATE",rejected="false",type="validating"} 0.1
apiserver_admission_webhook_admission_duration_seconds_count{name="pods.headroom.dev",operation="UPDATE",rejected="false",type="validating"} 500
# TYPE headroom_admission_size_waits_total counter
headroom_admission_size_waits_total{outcome="answered"} 3
headroom_admission_size_waits_total{outcome="timeout"} 4
# TYPE headroom_kubelet_nodes gauge
headroom_kubelet_nodes{pace="far"} 15
headroom_kubelet_nodes{pace="near"} 2
`

func TestMetricsAreAddedUpByLabels(t *testing.T) {
	const histogram = "apiserver_admission_webhook_admission_duration_seconds"
	created := map[string]string{"name": "pods.headroom.dev", "operation": "CREATE"}
	for about, c := range map[string]struct {
		name   string
		bound  float64
		labels map[string]string
		want   float64
	}{
		"all creations":           {histogram, 0, created, 1002},
		"those within 5 ms":       {histogram, 0.005, created, 991},
		"a counter's, whatever":   {"headroom_admission_size_waits_total", 0, nil, 7},
		"one of a counter's":      {"headroom_admission_size_waits_total", 0, map[string]string{"outcome": "timeout"}, 4},
		"one of a gauge's":        {"headroom_kubelet_nodes", 0, map[string]string{"pace": "far"}, 15},
		"nothing of that name":    {"other", 0, nil, 0},
		"nothing with that label": {histogram, 0, map[string]string{"name": "other"}, 0},
	} {
		t.Run(about, func(t *testing.T) {
			if got, err := sum([]byte(scraped), c.name, c.bound, c.labels); err != nil || got != c.want {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
	if _, err := sum([]byte("no metrics{"), "x", 0, nil); err == nil {
		t.Error("no metrics are read as some")
	}
}

func TestWaitingForReadinessEndsWithWhatWasWrong(t *testing.T) {
	asked := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	if err := waitReady(t.Context(), server.URL, time.Minute); err != nil || asked != 3 {
		t.Errorf("asked %d times, error %v", asked, err)
	}
	asked = -1000
	err := waitReady(t.Context(), server.URL, 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("error %v, want one with the last answer", err)
	}
}
