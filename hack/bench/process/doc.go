// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package process starts the programs that are measured, and reads from /proc what they have used.
//
// Contract: Linux only. Processor time is what the kernel has charged to all threads of a process, user and system, in steps of
// 10 milliseconds: measure for seconds. Memory is in bytes. A child dies with its parent.
package process
