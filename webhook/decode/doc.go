// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package decode reads what the webhook needs of AdmissionReviews and of the pods in them, at a fraction of what it costs to
// build the typed objects.
//
// It reads exactly what the decoder that Kubernetes uses (sigs.k8s.io/json, by way of k8s.io/apimachinery/pkg/util/json) would have
// read, or leaves the text to that one. What it can read it knows from the Go types of the API: fields that are needed are set,
// all other fields of these types are held against their types and passed over, and fields that the types don't have are passed
// over. It gives up, and has the typed decoder read the text from the start, for whatever is out of the ordinary: what is no JSON or of a
// wrong type, a needed field that comes twice (the second is merged into the first), escape sequences and non-ASCII characters in
// names of fields and in texts that are needed, deep nesting, numbers of many digits. So every error is the typed decoder's.
//
// FuzzPods holds it against the typed decoder.
package decode
