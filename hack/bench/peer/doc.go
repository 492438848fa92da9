// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package peer has the webhooks that are measured beside each other. Each is a process of its own that serves TLS 1.3 on a free
// port of loopback, and writes one line of JSON with its URL and its CA once it does.
//
// Contract: all get the same requests and admit them. What differs is what they do to come to that answer.
package peer
