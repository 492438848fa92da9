// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd

import (
	"io"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"github.com/headroom-dev/headroom/test/simnode/summary"
)

// statsEvery is how old a kubelet's figures become: as long as the eviction manager
// takes between two looks.
const statsEvery = 10 * time.Second

// configz is what a kubelet with the default thresholds says of its configuration, as
// far as anybody here reads it.
const configz = `{"kubeletconfig":{"kind":"KubeletConfiguration","apiVersion":"kubelet.config.k8s.io/v1beta1",` +
	`"imageGCHighThresholdPercent":85,"imageGCLowThresholdPercent":80,"nodeStatusMaxImages":50,` +
	`"evictionHard":{"imagefs.available":"15%","imagefs.inodesFree":"5%","memory.available":"100Mi","nodefs.available":"10%","nodefs.inodesFree":"5%"}}}`

// answers are the same for all kubelets.
type answers struct {
	options Options
	clock   func() time.Time

	mu      sync.Mutex // guards the rest
	summary []byte
	made    time.Time
}

func (a *answers) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats/summary", func(w http.ResponseWriter, _ *http.Request) {
		body, err := a.current()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // a client that has heard enough hangs up
	})
	mux.HandleFunc("GET /configz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, configz) // the client is gone then
	})
	return mux
}

// current is a summary whose figures are not too old.
func (a *answers) current() ([]byte, error) {
	now := a.clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.summary != nil && now.Sub(a.made) < statsEvery {
		return a.summary, nil
	}
	body, err := bodyOf(a.options, now)
	if err == nil {
		a.summary, a.made = body, now
	}
	return body, err
}

func bodyOf(o Options, now time.Time) ([]byte, error) {
	available := uint64(60 << 30)
	if o.AvailableBytes > 0 {
		available = uint64(o.AvailableBytes)
	}
	disk := func() *statsv1alpha1.FsStats {
		return &statsv1alpha1.FsStats{
			Time: metav1.NewTime(now.Truncate(time.Second)), CapacityBytes: new(uint64(100 << 30)), AvailableBytes: new(available), UsedBytes: new(uint64(7 << 30)),
			Inodes: new(uint64(6_553_600)), InodesFree: new(uint64(6_400_000)), InodesUsed: new(uint64(153_600)),
		}
	}
	s := &statsv1alpha1.Summary{Pods: summary.Pods(o.Pods, now)}
	s.Node.NodeName, s.Node.StartTime = "node", metav1.NewTime(now.Truncate(time.Second))
	s.Node.Fs, s.Node.Runtime = disk(), &statsv1alpha1.RuntimeStats{ImageFs: disk(), ContainerFs: disk()}
	summary.AddNodeFigures(&s.Node, o.Interfaces, now)
	return summary.Encode(s)
}
