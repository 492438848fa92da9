// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package webhook answers the API server's AdmissionReviews with the decisions of package fit.
//
// It fails open: whatever goes wrong here, the pod is admitted, an audit annotation says why, and a counter counts it. A
// refusal comes from nothing but a decision whose action is Deny. That is why the handler is one of our own:
// controller-runtime answers a request it can't decode, and a panic it recovers, with "allowed: false", which denies whatever
// the failurePolicy says. Where not even the UID of the request is known, no answer would be valid; the HTTP status is then
// an error and the API server does what the failurePolicy says, which is Ignore.
//
// Nothing on the request path does I/O or waits for a writer, but for two bounded waits: for the size of an image, see
// [SizeWaiter], and of a scheduler's binding for its pod to be known. The package imports neither client-go nor
// controller-runtime: what talks to the API server is in the packages certificate and registration below it.
//
// Durations are time.Duration, sizes in annotations bytes.
package webhook
