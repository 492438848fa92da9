// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package simnode runs simulated kubelets against a real API server: nodes
// without machines, for demos without root and for tests with a thousand nodes.
//
// Each node registers itself, keeps its lease and status, "pulls" and "runs" the
// pods bound to it, collects images and evicts pods by the kubelet's formulas
// (package disk), and serves /stats/summary and /configz over HTTPS with the
// kubelet's authentication and authorization.
//
// Contract: [Start] returns when every node is registered and Ready. All nodes
// share one pod informer, one event recorder and one client. Times are real;
// [Options.Speed] shortens the kubelet's default periods instead.
//
// On purpose not like a kubelet: no container really runs (a container runs for
// ever, or for as long as the annotation [RunForAnnotation] says, and is always
// ready), pulls are serial, CPU and memory figures are made up, there is no
// exec, logs or port-forward, and a deleted pod ends at once.
package simnode
