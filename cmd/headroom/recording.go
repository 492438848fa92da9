// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook"
)

const (
	recordingAPIVersion = "headroom.dev/v1alpha1"
	recordingKind       = "Recording"
	// recordingFormat grows whenever a recording of an older version would be read for something else than it said. Fields that
	// are added do that, too, where their absence means something: what a decision depends on is never optional.
	recordingFormat = 1
)

// recording is a review with its answer and all that was known when it was given: what `headroom serve --record` writes and
// `headroom check` replays. Whatever has no documented field names is for the same version only.
type recording struct {
	metav1.TypeMeta `json:",inline"`

	Format int `json:"format"`
	// Version is the program's that wrote it.
	Version string `json:"version"`
	// Review has the request, and the response.
	Review *admissionv1.AdmissionReview `json:"review"`
	Known  knownThen                    `json:"known"`
}

// knownThen is a moment in JSON.
type knownThen struct {
	At     time.Time `json:"at"`
	Policy struct {
		// Version is "defaults", "fallback" or "pending" where there is no Text.
		Version string `json:"version"`
		Text    string `json:"text,omitempty"`
	} `json:"policy"`
	NamespaceModes map[string]string  `json:"namespaceModes,omitempty"`
	Before         []types.UID        `json:"bindingsBefore,omitempty"`
	LetThrough     fit.Reason         `json:"letThrough,omitempty"`
	Workloads      []webhook.Workload `json:"workloads,omitempty"`
	// NewestPod is the one by which scaling was judged.
	NewestPod *corev1.Pod `json:"newestPod,omitempty"`
	// Snapshot is ledger.Written, null where nothing about nodes was asked.
	Snapshot json.RawMessage `json:"snapshot"`
}

// record makes the document. snapshot is the moment's, written.
func record(m *moment, snapshot json.RawMessage, review *admissionv1.AdmissionReview) *recording {
	r := &recording{
		TypeMeta: metav1.TypeMeta{APIVersion: recordingAPIVersion, Kind: recordingKind},
		Format:   recordingFormat, Version: version, Review: review,
		Known: knownThen{
			At: m.now, NamespaceModes: m.modes, Before: m.before, LetThrough: m.letThrough, Workloads: m.workloads, NewestPod: m.newest, Snapshot: snapshot,
		},
	}
	r.Known.Policy.Version, r.Known.Policy.Text = m.policy.Version, m.policyText
	return r
}

// readRecording reads a recording's review and moment.
func readRecording(body []byte) (*admissionv1.AdmissionReview, *moment, error) {
	var head struct {
		metav1.TypeMeta `json:",inline"`

		Format  int    `json:"format"`
		Version string `json:"version"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, nil, fmt.Errorf("not a recording: %w", err)
	}
	if head.APIVersion != recordingAPIVersion || head.Format != recordingFormat {
		return nil, nil, fmt.Errorf("a recording of headroom %s (%s, format %d), of which this one reads format %d only: replay it with that version",
			head.Version, head.APIVersion, head.Format, recordingFormat)
	}
	var r recording
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, nil, fmt.Errorf("a recording that is damaged: %w", err)
	}
	if r.Review == nil {
		return nil, nil, errors.New("a recording that is damaged: it has no review")
	}
	m, err := r.Known.moment()
	if err != nil {
		return nil, nil, fmt.Errorf("a recording that is damaged: %w", err)
	}
	return r.Review, m, nil
}

func (k *knownThen) moment() (*moment, error) {
	m := &moment{
		now: k.At, modes: k.NamespaceModes, before: k.Before, letThrough: k.LetThrough, workloads: k.Workloads, newest: k.NewestPod,
		policyText: k.Policy.Text,
	}
	var err error
	switch {
	case k.Policy.Text != "":
		m.policy, _, err = policy.Load([]byte(k.Policy.Text), false)
	case k.Policy.Version == policy.DefaultVersion:
		m.policy = policy.Default()
	default:
		m.policy = policy.Fallback()
		m.policy.Version = k.Policy.Version
	}
	if err != nil {
		return nil, fmt.Errorf("known.policy.text: %w", err)
	}
	var written *ledger.Written
	if err := json.Unmarshal(k.Snapshot, &written); err != nil {
		return nil, fmt.Errorf("known.snapshot: %w", err)
	}
	if written != nil {
		m.snapshot = ledger.Read(written)
	}
	return m, nil
}
