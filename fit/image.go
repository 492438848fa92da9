// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// ImageSize returns what an image takes on a disk like the node's that has none of it.
func ImageSize(s *ledger.Snapshot, row *ledger.NodeRow, ref imageref.Ref, p *policy.Policy) imagesize.Size {
	z := newSizes(s, p, nil)
	return z.lookUp(z.classOf(row), ref)
}

// PullOn returns what pulling an image for a pod that is bound to the node adds to its disk, with what is there and on its
// way for others; and the layers that are missing for it, nil where they are not known.
func PullOn(s *ledger.Snapshot, row *ledger.NodeRow, ref imageref.Ref, pod types.UID, p *policy.Policy, now time.Time) (imagesize.Size, *imagesize.Stored) {
	from := view(newSizes(s, p, nil), p, now)
	from.Pod = pod
	accounts := s.Accounts(from)
	size := accounts.Pull(row, ref)
	if missing, layered := accounts.Missing(row, ref); layered {
		return size, &missing
	}
	return size, nil
}

// Pool returns whose pulls those of the node are comparable with.
func Pool(row *ledger.NodeRow, p *policy.Policy) imagesize.PoolKey {
	return classKey{
		runtime: row.Runtime, platform: Platform{OS: row.OS, Architecture: row.Architecture}, pool: p.PoolOf(row.LabelSet()),
	}.poolKey()
}

// ListedOnDisk returns what the images need that the node lists, as far as their layers are known, whatever it does with
// compressed ones. A disk that has less in use than the low bound does not hold them as a whole.
func ListedOnDisk(s *ledger.Snapshot, row *ledger.NodeRow) estimate.Bytes {
	return s.Layers(row).OnDisk(row.Runtime, nil, imagesize.Learned{Kept: &estimate.Factor{High: 1}})
}
