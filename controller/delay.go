// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

// maxAwaited is how many pods are awaited at a time: those that something else has refused after all never come.
const maxAwaited = 4096

// InformerDelay measures how long it takes from a pod's admission until it is in the ledger. For so long, another pod may
// be admitted for the room that this one will take. Both moments are of one clock, which the timestamp of the pod, in whole
// seconds of the API server's, is not. It is safe for concurrent use, and implements PodListener.
type InformerDelay struct {
	seconds prometheus.Histogram
	log     logr.Logger
	now     func() time.Time

	mu       sync.Mutex
	admitted *recent[types.UID, time.Time] // guarded by mu
}

// NewInformerDelay makes the metric and registers it with r, which may be nil. It panics if it is registered there already.
// log gets every pod that comes into the ledger, at V(2).
func NewInformerDelay(r prometheus.Registerer, log logr.Logger) *InformerDelay {
	return &InformerDelay{
		log: log,
		seconds: promauto.With(r).NewHistogram(prometheus.HistogramOpts{
			Namespace: metricPrefix, Name: "informer_delay_seconds",
			Help:    "Time from a pod's admission by this replica until the pod is in its ledger. As long, others may be admitted for the same room.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .15, .25, .5, 1, 2.5, 5, 10},
		}),
		now:      wallClock,
		admitted: newRecent[types.UID, time.Time](maxAwaited, nil),
	}
}

// Admitted is told about each pod that has just been admitted.
func (d *InformerDelay) Admitted(uid types.UID) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.admitted.set(uid, now)
}

// PodSet implements PodListener.
func (d *InformerDelay) PodSet(row ledger.Pod) {
	now := d.now()
	if log := d.log.V(2); log.Enabled() {
		log.Info("Pod in the ledger", "namespace", row.Namespace, "name", row.Name, "uid", row.UID, "node", row.NodeName)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, awaited := d.admitted.get(row.UID); awaited {
		d.admitted.remove(row.UID)
		d.seconds.Observe(now.Sub(at).Seconds())
	}
}

// PodDeleted implements PodListener.
func (d *InformerDelay) PodDeleted(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.admitted.remove(uid)
}
