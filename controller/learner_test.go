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
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

const mebibyte = 1 << 20

// school is a real ledger whose observations a test makes up, and which writes down what it is taught.
type school struct {
	*ledger.Ledger
	t            *testing.T
	observations []ledger.Observation
	written      []string
	predictions  map[imageref.Ref]Prediction
	learner      *Learner
	metrics      *PullMetrics
	registry     *prometheus.Registry
	needed       estimate.Bytes
	now          time.Time
	behind       time.Duration // the nodes' clocks
	meanwhile    func()        // runs while a sample is looked at
	namespace    string        // of all pods; "" for one of its own for each
}

func (s *school) Observations() []ledger.Observation {
	taken := s.observations
	s.observations = nil
	return taken
}

func (s *school) SetLearned(key imagesize.PoolKey, learned imagesize.Learned) {
	text := fmt.Sprintf("learned %s %s: %d", key.Pool, key.Runtime, learned.Observations)
	if learned.Kept != nil {
		text += fmt.Sprintf(" kept %.1f", learned.Kept.Likely)
		if learned.Kept.Low < learned.Kept.High {
			text += "?"
		}
	}
	if learned.Reported != nil {
		text += fmt.Sprintf(" reported %.1f", learned.Reported.Likely)
	}
	if learned.Lazy {
		text += " lazy"
	}
	s.written = append(s.written, text)
}

func (s *school) SetObserved(key imagesize.PoolKey, ref imageref.Ref, taken estimate.Bytes) {
	s.written = append(s.written, fmt.Sprintf("observed %s %s: %d %d %d", key.Pool, ref.Familiar(), taken.Low/mebibyte, taken.Likely/mebibyte, taken.High/mebibyte))
}

func newSchool(t *testing.T) *school {
	t.Helper()
	s := &school{Ledger: ledger.New(), t: t, predictions: map[imageref.Ref]Prediction{}, registry: prometheus.NewPedanticRegistry(), now: t0}
	s.MarkSynced()
	s.metrics = NewPullMetrics(s.registry)
	s.learner = NewLearner(s, LearnerOptions{
		Pool: func(row *ledger.NodeRow) string { return row.Labels["pool"] },
		Predict: func(_ *ledger.NodeRow, ref imageref.Ref, _ types.UID) Prediction {
			p, known := s.predictions[ref]
			if !known {
				p.BlobBytes = -1
			}
			return p
		},
		Needed: func(*ledger.NodeRow) estimate.Bytes {
			if s.meanwhile != nil {
				s.meanwhile()
			}
			return s.needed
		},
		Metrics: s.metrics,
	})
	s.node("n", "gpu")
	return s
}

func (s *school) node(name, pool string, listed ...string) {
	row := wantingNodeRow(name, "amd64", imagesize.Containerd)
	row.Labels = map[string]string{"pool": pool}
	row.Images = []ledger.ListedImage{}
	for _, image := range listed {
		row.Images = append(row.Images, ledger.ListedImage{Refs: []imageref.Ref{mustRef(s.t, image)}, NameCount: 1, ReportedBytes: 100 * mebibyte})
	}
	s.SetNode(row)
}

// pull binds a pod to node n, has its image pulled and takes a sample.
func (s *school) pull(uid, image string, takenBytes int64) {
	s.pullOn("n", uid, image, takenBytes)
}

func (s *school) pullOn(node, uid, image string, takenBytes int64) {
	pod := ledger.Pod{UID: types.UID(uid), NodeName: node, Images: []ledger.PodImage{{Ref: mustRef(s.t, image), PullPolicy: corev1.PullIfNotPresent}}}
	s.SetPod(pod, t0)
	s.learner.PodSet(pod)
	in := s.namespace
	if in == "" {
		in = uid
	}
	s.observations = append(s.observations, ledger.Observation{
		Node: node, Pod: pod.UID, Namespace: in, Ref: mustRef(s.t, image), TakenBytes: takenBytes,
	})
	s.sampleOn(node, 1000*mebibyte)
}

// sample takes a new sample of node n.
func (s *school) sample(used int64) { s.sampleOn("n", used) }

// short takes samples of node n that show too little, for long enough to be believed.
func (s *school) short(used int64) {
	for range 10 {
		s.sample(used)
	}
}

func (s *school) sampleOn(node string, used int64) {
	s.now = s.now.Add(10 * time.Second)
	s.polled(node, used)
}

// polled tells a sample that was taken now, as the poller does.
func (s *school) polled(node string, used int64) {
	m := ledger.Measurement{CapacityBytes: 1 << 40, AvailableBytes: 1<<40 - used, SampledAt: s.now.Add(-s.behind), ReceivedAt: s.now}
	s.SetMeasurement(node, m)
	s.learner.Sampled(node, m, ledger.Lines{})
}

func (s *school) wrote(when string, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.written); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", when, diff)
	}
	s.written = nil
}

// counted compares counters, each as name{label}.
func (s *school) counted(want map[string]float64) {
	s.t.Helper()
	got := map[string]float64{}
	for name, vec := range map[string]*prometheus.CounterVec{"observations": s.metrics.observations, "lessons": s.metrics.lessons} {
		labels := []string{pullInside, pullBelow, pullAbove, pullUnpredicted}
		if name == "lessons" {
			labels = nil
			for _, outcome := range imagesize.Outcomes() {
				labels = append(labels, string(outcome))
			}
		}
		for _, label := range labels {
			if n := testutil.ToFloat64(vec.WithLabelValues(label)); n > 0 {
				got[name+" "+label] = n
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("counters (-want +got):\n%s", diff)
	}
}

func TestLearnerOfLayers(t *testing.T) {
	s := newSchool(t)
	app := mustRef(t, "app:1")
	layers(s.Ledger, app, imagesize.Platform{OS: "linux", Architecture: "amd64"}, true)
	s.predictions[app] = Prediction{
		Bytes: estimate.Between(300*mebibyte, 350*mebibyte, 400*mebibyte), Source: imagesize.SourceLayers,
		Layered: true, BlobBytes: 100 * mebibyte, Unpacked: estimate.Exactly(250 * mebibyte),
	}
	s.pull("1", "app:1", 351*mebibyte)
	s.wrote("one pull", "learned gpu containerd: 1")
	s.pull("2", "app:1", 351*mebibyte)
	s.pull("3", "app:1", 351*mebibyte)
	s.wrote("three", "learned gpu containerd: 2", "learned gpu containerd: 3 kept 1.0")
	s.pull("4", "app:1", 0)
	s.pull("5", "app:1", 500*mebibyte)
	s.wrote("outliers")
	s.counted(map[string]float64{"observations inside": 3, "observations below": 1, "observations above": 1, "lessons used": 3, "lessons outlier": 2})
	if got := s.learner.PoolsLearned(); got["kept"] != 1 || got["reported"] != 0 || got["lazy"] != 0 {
		t.Errorf("pools learned: %v", got)
	}

	s.node("n", "cpu")
	s.pull("6", "app:1", 251*mebibyte)
	s.wrote("in another pool", "learned cpu containerd: 1")

	shared := s.predictions[app]
	shared.BlobBytes, shared.Unpacked = 0, estimate.Bytes{}
	s.predictions[app] = shared
	s.pull("7", "app:1", 0)
	s.wrote("an image of which the node has all layers")
}

func TestLearnerOfReportedSizes(t *testing.T) {
	s := newSchool(t)
	s.pull("1", "app:1", 300*mebibyte)
	s.wrote("what it took is known, not what it reports", "observed gpu app:1: 300 300 300")
	s.counted(map[string]float64{"observations unpredicted": 1})
	s.sample(0)
	s.node("n", "gpu", "app:1")
	s.sample(0)
	s.wrote("once the node lists it", "learned gpu containerd: 1")
	s.sample(0)
	s.wrote("and only once")

	s.pull("2", "app:1", 200*mebibyte)
	s.pull("3", "app:1", 250*mebibyte)
	s.pull("4", "app:1", 320*mebibyte)
	s.wrote("others", "observed gpu app:1: 200 300 300", "learned gpu containerd: 2", "learned gpu containerd: 3", "observed gpu app:1: 200 320 320", "learned gpu containerd: 4")
	s.pull("5", "app:1", 300*mebibyte)
	s.wrote("the fifth", "learned gpu containerd: 5 reported 3.0")

	s.pull("6", "unlisted:1", 7*mebibyte)
	for range listedWithin {
		s.sample(0)
	}
	s.counted(map[string]float64{"observations unpredicted": 6, "lessons used": 5, "lessons unknown": 1})
	s.wrote("one that is never listed", "observed gpu unlisted:1: 7 7 7")
	if len(s.learner.unlisted) != 0 {
		t.Errorf("still waiting: %+v", s.learner.unlisted)
	}
}

func TestLearnerForgetsPullsOfNodesThatAreGone(t *testing.T) {
	s := newSchool(t)
	s.node("m", "gpu")
	s.pullOn("n", "1", "app:1", mebibyte)
	s.pullOn("m", "2", "app:2", mebibyte)
	s.pullOn("n", "3", "app:3", mebibyte)
	if len(s.learner.unlisted) != 3 {
		t.Fatalf("%d pulls wait for a list of images, want 3", len(s.learner.unlisted))
	}
	s.DeleteNode("n", "n")
	s.learner.NodeDeleted("n", "n")
	if len(s.learner.unlisted) != 1 || s.learner.unlisted[0].pull.Node != "m" {
		t.Errorf("still waiting: %+v, want the pull of node m", s.learner.unlisted)
	}
}

func TestLearnerRemembersPredictions(t *testing.T) {
	s := newSchool(t)
	s.node("n", "gpu", "there:1")
	predicted := func(image string, change func(*ledger.Pod)) int {
		pod := ledger.Pod{UID: "1", NodeName: "n", Images: []ledger.PodImage{{Ref: mustRef(t, image), PullPolicy: corev1.PullIfNotPresent}}}
		change(&pod)
		s.learner.PodSet(pod)
		defer s.learner.PodDeleted(pod.UID)
		of, _ := s.learner.predictions.get(pod.UID)
		return len(of)
	}
	for name, tc := range map[string]struct {
		image  string
		change func(*ledger.Pod)
		want   int
	}{
		"bound":                      {"app:1", func(*ledger.Pod) {}, 1},
		"not bound":                  {"app:1", func(p *ledger.Pod) { p.NodeName = "" }, 0},
		"bound to nobody knows what": {"app:1", func(p *ledger.Pod) { p.NodeName = "m" }, 0},
		"finished":                   {"app:1", func(p *ledger.Pod) { p.Finished = true }, 0},
		"pulled":                     {"app:1", func(p *ledger.Pod) { p.Images[0].Pulled = true }, 0},
		"present":                    {"there:1", func(*ledger.Pod) {}, 0},
		"present, but pulled again":  {"there:1", func(p *ledger.Pod) { p.Images[0].PullPolicy = corev1.PullAlways }, 1},
	} {
		if got := predicted(tc.image, tc.change); got != tc.want {
			t.Errorf("%s: %d predictions, want %d", name, got, tc.want)
		}
	}
	if n := s.learner.predictions.len(); n != 0 {
		t.Errorf("%d pods are remembered that are gone", n)
	}

	// The first prediction counts: later ones know that part of the image is there.
	app := mustRef(t, "app:1")
	s.predictions[app] = Prediction{Bytes: estimate.Exactly(9), Source: imagesize.SourceNode}
	s.learner.PodSet(ledger.Pod{UID: "2", NodeName: "n", Images: []ledger.PodImage{{Ref: app}}})
	s.predictions[app] = Prediction{Bytes: estimate.Exactly(1), Source: imagesize.SourceNode}
	s.pull("2", "app:1", 9)
	s.counted(map[string]float64{"observations inside": 1})
}

func TestLearnerIsBounded(t *testing.T) {
	s := newSchool(t)
	for i := range maxObservedImages + 1 {
		s.observations = append(s.observations, ledger.Observation{Node: "n", Pod: "1", Ref: mustRef(t, "app:"+strconv.Itoa(i)), TakenBytes: mebibyte})
	}
	s.sample(0)
	taken := 0
	for _, line := range s.written {
		if strings.HasSuffix(line, ": 0 0 0") {
			taken++
			if line != "observed gpu app:0: 0 0 0" {
				t.Errorf("taken back: %s", line)
			}
		}
	}
	if taken != 1 || len(s.learner.unlisted) != maxUnlisted {
		t.Errorf("%d observations were taken back, want 1; %d pulls wait, want %d", taken, len(s.learner.unlisted), maxUnlisted)
	}
	for i := range maxPredictedPods + 5 {
		s.learner.PodSet(ledger.Pod{UID: types.UID(strconv.Itoa(i)), NodeName: "n", Images: []ledger.PodImage{{Ref: mustRef(t, "new:1")}}})
	}
	if n := s.learner.predictions.len(); n != maxPredictedPods {
		t.Errorf("%d pods are remembered, want %d", n, maxPredictedPods)
	}
	for i := range maxTallies + 5 {
		s.node("n", "pool-"+strconv.Itoa(i))
		s.pull("x", "app:1", 1)
	}
	if n := s.learner.tallies.len(); n != maxTallies {
		t.Errorf("%d pools are remembered, want %d", n, maxTallies)
	}
}

func TestPullMetricsAreClean(t *testing.T) {
	s := newSchool(t)
	app := mustRef(t, "app:1")
	s.predictions[app] = Prediction{Bytes: estimate.Between(1, 100, 200), Source: imagesize.SourceRegistry}
	s.pull("1", "app:1", 90)
	problems, err := testutil.GatherAndLint(s.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	const want = `
# HELP headroom_pull_observations_total Pulls that were watched from beginning to end, by how they compare with the predicted interval: inside, below, above, or unpredicted.
# TYPE headroom_pull_observations_total counter
headroom_pull_observations_total{result="above"} 0
headroom_pull_observations_total{result="below"} 0
headroom_pull_observations_total{result="inside"} 1
headroom_pull_observations_total{result="unpredicted"} 0
`
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(want), "headroom_pull_observations_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(s.metrics.ratio); n != len(predictingSources()) {
		t.Errorf("%d histograms, want one for each of %d sources", n, len(predictingSources()))
	}
}
