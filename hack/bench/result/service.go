// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import (
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/process"
)

// Service is a whole `headroom serve` on a synthetic API server.
type Service struct {
	Run

	Samples []Served `json:"samples"`
}

// Served is one size in one round.
type Served struct {
	Round int `json:"round"`
	Nodes int `json:"nodes"`
	Pods  int `json:"pods"`
	// SyncSeconds and SyncCPUSeconds are from the start until it is ready; DecodeCPUSeconds is what decoding the same lists
	// takes, and InformersBytes what client-go's typed informers keep of them, 0 where that was not measured.
	SyncSeconds      float64        `json:"syncSeconds"`
	SyncCPUSeconds   float64        `json:"syncCPUSeconds"`
	DecodeCPUSeconds float64        `json:"decodeCPUSeconds,omitempty"`
	InformersBytes   int64          `json:"informersBytes,omitempty"`
	Memory           process.Memory `json:"memory"`
	// EventsCores is how many processors it takes to take in events at these rates, 0 where there were none; EventsMade is how many
	// the API server has really made a second.
	PodEvents   float64 `json:"podEvents,omitempty"`
	NodeUpdates float64 `json:"nodeUpdates,omitempty"`
	EventsMade  float64 `json:"eventsMade,omitempty"`
	EventsCores float64 `json:"eventsCores,omitempty"`
	// BoundPod and ChangedNode are how long it takes, among those events, until one shows in verdicts: that a pod is bound which
	// pulls an image, and that a node lists one. Nil where that was not measured.
	BoundPod    *Shown `json:"boundPod,omitempty"`
	ChangedNode *Shown `json:"changedNode,omitempty"`
	// Asked are by rate.
	Asked []Asked `json:"asked,omitempty"`
}

// Asked is asking it, and a no-op webhook, in an open loop while events arrive.
type Asked struct {
	// Rate is how many requests a second were due, PodEvents and NodeUpdates how many events the API server made a second.
	Rate        float64           `json:"rate"`
	PodEvents   float64           `json:"podEvents"`
	NodeUpdates float64           `json:"nodeUpdates"`
	Headroom    *load.Measurement `json:"headroom"`
	Bare        *load.Measurement `json:"bare"`
}

// KeptUp says whether the API server made as many events as it was to, give or take a twentieth.
func (s *Served) KeptUp() bool {
	return s.EventsMade > 0.95*(s.PodEvents+s.NodeUpdates)
}

// Shown is how long events of a kind took until they showed in a verdict: from before they were written until a verdict came that
// had them.
type Shown struct {
	Events  int          `json:"events"`
	Latency load.Latency `json:"latencyMicroseconds"`
}

// Polling is a whole `headroom serve` that asks kubelets, one on loopback for each node.
type Polling struct {
	Run

	Samples []Polled `json:"samples"`
}

// Situations of all kubelets.
const (
	FarFromLines   = "far"        // with much room: each is asked once a minute
	NearLines      = "near"       // near a line: each is asked twice a minute
	WithInterfaces = "interfaces" // the same, and the node has a network interface for each pod
)

// Situations returns them all.
func Situations() []string { return []string{FarFromLines, NearLines, WithInterfaces} }

// Polled is one stretch of time in one situation. The rounds of a situation follow each other in one process.
type Polled struct {
	Round     int    `json:"round"`
	Situation string `json:"situation"`
	Kubelets  int    `json:"kubelets"`
	Pods      int    `json:"pods"` // of each
	// CPUSeconds is all processor time of the process in so many Seconds.
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"`
	// Polls is how often one was asked, and Bytes what came from them with TLS and HTTP, in CountedSeconds. Failures are questions
	// without a good answer.
	CountedSeconds float64        `json:"countedSeconds"`
	Polls          float64        `json:"polls"`
	Bytes          float64        `json:"bytes"`
	Failures       float64        `json:"failures"`
	Memory         process.Memory `json:"memory"`
}

// Due is how many polls a second there are by the pace, with the default policy (controller/pace.go).
func (p *Polled) Due() float64 {
	interval := 30.0 // seconds
	if p.Situation == FarFromLines {
		interval *= 2
	}
	return float64(p.Kubelets) / interval
}

// PollsPerSecond is how many were made.
func (p *Polled) PollsPerSecond() float64 { return p.Polls / p.CountedSeconds }

// CPUSecondsPerPoll is what one took of a processor, with all else that the process does.
func (p *Polled) CPUSecondsPerPoll() float64 { return p.CPUSeconds / p.Seconds / p.PollsPerSecond() }

// Cores is what a poll takes of a processor, times the polls that are due: what was seen where all of them were made, and reckoned
// where the machine was too busy for some.
func (p *Polled) Cores() float64 { return p.CPUSecondsPerPoll() * p.Due() }

// BytesPerSecond is the same of bytes.
func (p *Polled) BytesPerSecond() float64 { return p.Bytes / p.Polls * p.Due() }
