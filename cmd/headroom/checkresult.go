// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"io"
	"math"
	"slices"
	"strconv"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/verdict"
)

// checkResult is one pod or template in the output of `headroom check`: a
// documented API.
type checkResult struct {
	Kind       string          `json:"kind"`
	Namespace  string          `json:"namespace"`
	Name       string          `json:"name"`
	Verdict    verdict.Verdict `json:"verdict"`
	Action     fit.Action      `json:"action"`
	NeedBytes  estimate.Bytes  `json:"needBytes"`
	Candidates int             `json:"candidates"`
	Message    string          `json:"message"`
	// Request and Response are of an admission review: what was asked, and all that the webhook says.
	Request  string                         `json:"request,omitempty"`
	Response *admissionv1.AdmissionResponse `json:"response,omitempty"`
}

type checkReport struct {
	Results []checkResult `json:"results"`
}

func (r checkReport) table(w io.Writer) {
	row(w, r.first(), "NAMESPACE", "NAME", "VERDICT", "ACTION", "NEEDS", "NODES", "WHY")
	for _, c := range r.Results {
		row(w, cmp.Or(c.Request, c.Kind), c.Namespace, c.Name, string(c.Verdict), string(c.Action), c.needs(), strconv.Itoa(c.Candidates), c.Message)
	}
}

// first is the title of the first column.
func (r checkReport) first() string {
	if slices.ContainsFunc(r.Results, func(c checkResult) bool { return c.Request != "" }) {
		return "REQUEST OR KIND"
	}
	return "KIND"
}

// needs is the need for people: what nobody knows is no estimate of zero.
func (c checkResult) needs() string {
	switch unbounded := c.NeedBytes.High == math.MaxInt64; {
	case unbounded && c.NeedBytes.Likely == 0:
		return "?"
	case unbounded:
		return c.NeedBytes.String() + " or more"
	default:
		return c.NeedBytes.String()
	}
}
