// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"github.com/headroom-dev/headroom/ledger"
)

// lines draws up an account's lines as a kubelet goes about it: signal by signal,
// each against the file system that it observes.
func (t *twin) lines(lines ledger.Lines, shared bool, a *ledger.Account) {
	a.GCLineBytes = lines.GCLineBytes(a.CapacityBytes)
	a.EvictionLineBytes = lines.EvictionLineBytes(a.CapacityBytes, shared)
	for _, threshold := range lines.Thresholds {
		of, inodes := a.CapacityBytes, false
		switch threshold.Signal {
		case ledger.ImageFSInodesFree:
			of, inodes = a.Inodes, true
		case ledger.NodeFSInodesFree:
			of, inodes = a.Inodes, true
			if !shared {
				continue
			}
		case ledger.ImageFSAvailable:
		case ledger.NodeFSAvailable:
			if !shared {
				continue
			}
		}
		line := threshold.Bytes + threshold.Inodes + int64(float64(of)*float64(float32(threshold.Percent)/100))
		if inodes {
			if of > 0 {
				a.InodeLine = max(a.InodeLine, line)
			}
			continue
		}
		minimum := threshold.MinReclaimBytes + int64(float64(of)*float64(float32(threshold.MinReclaimPercent)/100))
		a.EvictionTargetBytes = max(a.EvictionTargetBytes, line+minimum)
	}
	if a.EvictionLineBytes == 0 {
		a.EvictionTargetBytes = 0
	}
}
