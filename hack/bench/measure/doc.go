// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package measure runs the parts of the benchmark: it starts the processes, gives each its turn, and collects what they say.
//
// Contract: whatever is started is ended before a part returns. A part is a whole: on an error nothing of it counts. Paths are
// those of the source tree, from hack/bench.
package measure
