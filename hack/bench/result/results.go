// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/process"
)

// Results are all that is known. Each part is measured, and replaced, as a whole; nil for one that was not.
type Results struct {
	Requests  *Requests  `json:"requests,omitempty"`
	Decisions *Decisions `json:"decisions,omitempty"`
	Engines   *Engines   `json:"engines,omitempty"`
	APIServer *APIServer `json:"apiServer,omitempty"`
	Service   *Service   `json:"service,omitempty"`
	Polling   *Polling   `json:"polling,omitempty"`
}

// Run is when and where a part was measured.
type Run struct {
	At      time.Time       `json:"at"`
	Version string          `json:"version"` // of Headroom, by git
	Machine process.Machine `json:"machine"`
	// The load average over the minute before it, and at its end.
	LoadBefore float64 `json:"loadBefore"`
	LoadAfter  float64 `json:"loadAfter"`
}

// Requests are webhooks that were asked directly.
type Requests struct {
	Run

	Samples []Sample `json:"samples"`
}

// Sample is one peer in one round.
type Sample struct {
	Round       int              `json:"round"`
	Peer        string           `json:"peer"`
	Fleet       *fleet.Spec      `json:"fleet,omitempty"` // of those that know one
	Generator   string           `json:"generator"`
	Rate        float64          `json:"rate,omitempty"` // of an open loop, requests a second
	LoadAverage float64          `json:"loadAverage"`
	Measurement load.Measurement `json:"measurement"`
}

// Decisions are fit.Evaluate without anything around it.
type Decisions struct {
	Run

	Samples []Decision `json:"samples"`
}

// Decision is one fleet in one round.
type Decision struct {
	Round int        `json:"round"`
	Fleet fleet.Spec `json:"fleet"`
	// First is of the first decision about each kind of pod after nodes have changed, Latency and Allocations of further ones, each
	// about a pod of another namespace: Count is how many there were. Again is of pods that are like one before in all that matters.
	First       load.Latency `json:"firstMicroseconds"`
	Count       int          `json:"count"`
	Latency     load.Latency `json:"latencyMicroseconds"`
	Again       load.Latency `json:"againMicroseconds"`
	Allocations float64      `json:"allocations"`
	// Amid is of decisions while pods come that want the same images, each the first one since: nil but for a burst.
	Amid *load.Latency `json:"amidMicroseconds,omitempty"`
	// LedgerBytes is what the ledger's live objects take of the heap.
	LedgerBytes int64 `json:"ledgerBytes"`
}

// amid is the median of Amid.
func (d *Decision) amid() float64 {
	if d.Amid == nil {
		return missing
	}
	return d.Amid.P50
}

// Engines are policy engines that were given the same rule.
type Engines struct {
	Run

	Samples []Engine `json:"samples"`
	// Missing are those that could not be run here, and why.
	Missing map[string]string `json:"missing,omitempty"`
}

// Engine is one engine in one round.
type Engine struct {
	Round int    `json:"round"`
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
	Pods  int    `json:"pods"` // reviews a run
	// With and Without are the seconds of processor time of a run whose constraint is about pods, and of one whose constraint is
	// about nothing.
	With    float64 `json:"withCPUSeconds"`
	Without float64 `json:"withoutCPUSeconds"`
	// Violations say that the rule was really applied.
	Violations int `json:"violations"`
}

// DecisionMicroseconds is what one decision took.
func (e *Engine) DecisionMicroseconds() float64 { return (e.With - e.Without) / float64(e.Pods) * 1e6 }

// APIServer is creating pods through a real API server.
type APIServer struct {
	Run

	Nodes   int        `json:"nodes"`
	Samples []Creation `json:"samples"`
}

// Creation is one way of admission at one rate in one round.
type Creation struct {
	Round int     `json:"round"`
	Way   string  `json:"way"`  // none, vap, controller-runtime or headroom
	Rate  float64 `json:"rate"` // how many pods a second were due
	Pods  int     `json:"pods"`
	// Errors are creations that failed.
	Errors  int          `json:"errors"`
	Error   string       `json:"error,omitempty"` // the first one
	Latency load.Latency `json:"latencyMicroseconds"`
	// Calls are what the API server counted of the webhook for pods; Within5ms those in its bucket le="0.005". Waited are, by
	// Headroom's own count, the requests that waited for the size of an image.
	Calls     float64 `json:"calls"`
	Within5ms float64 `json:"within5ms"`
	Waited    float64 `json:"waited"`
	// Processor time.
	APIServerCPUSeconds float64 `json:"apiServerCPUSeconds"`
	WebhookCPUSeconds   float64 `json:"webhookCPUSeconds"`
	LoadAverage         float64 `json:"loadAverage"`
}

// Read reads a file of results. One that is not there holds none.
func Read(path string) (*Results, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Results{}, nil
	}
	if err != nil {
		return nil, err
	}
	var r Results
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}

// Write writes it.
func (r *Results) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // G306: it is a page's appendix
}
