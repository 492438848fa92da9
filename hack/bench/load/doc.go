// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package load asks a webhook as an API server does, and measures the answers and what the webhook's process spends on them.
//
// Contract: a closed loop, in which each of some callers asks again as soon as it is answered, says how much processor time a
// request takes and how many a server can answer. An open loop, whose requests are due whatever the server does, says how long
// they take. Durations are in the unit that a field's name says; latencies are in microseconds.
package load
