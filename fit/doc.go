// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fit decides whether a pod's images fit the nodes that the pod can land on. It is the one decision behind every
// door: the webhook, the audit and the command line call [Evaluate] on a snapshot and get the same answer for it.
//
// Contract: Evaluate is pure, total and deterministic. Equal arguments give equal decisions, no input makes it panic, and
// whatever it does not know leads to admission. Every sentence that a person reads is written in the files that message.go
// names. All sizes are bytes.
//
// # Two rules
//
// A pod is refused where, on every node it could ever land on, even the optimistic bound is at or past the policy's denyAt.
// It is warned about where, on more than half of the nodes that could take it now, the likely value is at or past warnAt. A
// node on which the pod has nothing to pull Fits, however full it is: refusing such a pod would help nobody.
//
// A template is never refused. Besides where a pod would be, it is warned about where its replicas are more than the nodes
// that are good for one, and where every node gets a pod and any is at or past warnAt: see workload.go.
//
// # Cause codes
//
// A denial carries one of these codes, which are stable, in status.details.causes. The verdict is the one of the best node.
//
//	ImageStorageTriggersGC     the kubelet would trim unused images
//	ImageStoragePressuresDisk  the node would come under disk pressure
//	ImageStorageEvictsPods     running pods would be evicted
//	ImageStorageFillsDisk      the pull would run out of disk
//	ImageStorageNeverFits      the disk is too small even with nothing else on it
package fit
