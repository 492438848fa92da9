// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package workload says which pods an object makes: Deployments, Jobs and the other kinds that Kubernetes has for it, and
// kinds of one's own, of which somebody knows where their template is.
//
// Contract: pure functions from an object's JSON. An object that can't be read is an error, never a guess, and no object
// makes anything here panic. What is returned belongs to the caller.
package workload
