// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package review makes the bodies that an API server posts to a webhook when pods are made: AdmissionReviews of version v1 with
// a pod of about 6.4 kB, as controllers make them, each with UIDs of its own.
//
// Contract: a body is made by writing UIDs into a template that was encoded before, so that making one costs the load generator
// next to nothing. Sizes are in bytes.
package review
