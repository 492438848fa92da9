// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controller feeds the ledger: it turns what the API server, the kubelets and the policy's ConfigMap say into
// ledger rows, and shows the result as metrics, log lines and Events. It does what belongs to decisions of others, too: it
// repeats to the owners of pods what admission said about them, and puts soft taints on nodes.
//
// Contract: it decides nothing about a pod. Every write is a whole row made from one object or one sample, so that an
// event that comes twice, late or out of order leaves the ledger as it would have been. Everything here runs on every
// replica, but for what an Election gives to one: taking soft taints away. The Events it writes have names made from their
// content, so that replicas write each of them once. Byte counts are bytes of a disk unless a name says otherwise; times are this process's
// clock unless a comment says that they are the node's.
package controller
