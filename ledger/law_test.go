// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
	"github.com/headroom-dev/headroom/ledger"
)

// TestLaws holds accounts against a disk with real layers.
func TestLaws(t *testing.T) {
	const histories, steps = 300, 200
	checked := map[string]int{} // How often each number was above 0, or looked at.
	for seed := range uint64(histories) {
		r := newReality(seed)
		for step := range steps {
			r.step()
			if step%4 != 0 {
				continue
			}
			if broken := r.judge(checked); broken != "" {
				t.Errorf("history %d, step %d: %s", seed, step, broken)
				break
			}
		}
	}
	for _, law := range []string{"absent", "need", "settled", "pending", "reserved", "reclaimable", "reclaim low", "reclaim high"} {
		if checked[law] == 0 {
			t.Errorf("no history has looked at %q", law)
		}
	}
	t.Log(checked)
}

// view looks as at nodes of a pool that keeps blobs. What is not known by its layers
// has no low bound.
func (r *reality) view(s *ledger.Snapshot, images []imageref.Ref) ledger.View {
	learned := imagesize.Learned{Kept: &estimate.Factor{Low: 1, Likely: 1, High: 1}}
	return ledger.View{
		Now: r.now, Namespace: "team", Images: images,
		Size: func(row *ledger.NodeRow, ref imageref.Ref, there imagesize.There) imagesize.Size {
			e := s.Evidence(ref, row.Runtime, imagesize.Platform{OS: row.OS, Architecture: row.Architecture})
			e.Learned = learned
			size := e.Pull(row.Runtime, nil, there)
			if size.Source != imagesize.SourceLayers {
				size.Disk.Low, size.Peak.Low = 0, 0
			}
			return size
		},
		Stored: func(row *ledger.NodeRow, stored imagesize.Stored) estimate.Bytes {
			return stored.OnDisk(row.Runtime, nil, learned)
		},
	}
}

func (r *reality) slack() int64 {
	layers := 0
	for _, image := range r.images {
		layers += len(image.layers)
	}
	return int64(layers) * 64 << 10
}

// judge checks the laws for one or two more images.
func (r *reality) judge(checked map[string]int) string {
	s := r.ledger.Snapshot()
	row, _ := s.Node(lawNode)
	var refs []imageref.Ref
	for range 1 + r.IntN(2) {
		image := r.images[r.IntN(len(r.images))]
		refs = append(refs, []imageref.Ref{image.name, image.tag}[r.IntN(2)])
	}
	if len(refs) == 2 && refs[0] == refs[1] {
		refs = refs[:1]
	}
	accounts := s.Accounts(r.view(s, refs))
	a := accounts.Of(row)
	var need estimate.Bytes
	pulls := accounts.Pulls(row)
	for i, ref := range refs {
		n := pulls.Size(ref, i).Disk
		if pulls.Take(ref, i); accounts.Presence(row, ref) == ledger.Absent {
			need = need.Plus(n)
			checked["absent"]++
		}
	}
	for name, b := range map[string]estimate.Bytes{
		"settled": a.Settled, "pending": a.Pending, "reserved": a.Reserved, "need": need, "reclaimable": a.Reclaimable,
	} {
		if b.Low < 0 || b.Likely < b.Low || b.High < b.Likely {
			return fmt.Sprintf("%s is %+v", name, b)
		}
		if b.Low > 0 {
			checked[name]++
		}
	}
	if !ordered(a.Available) {
		return fmt.Sprintf("available is %+v", a.Available)
	}
	if broken := r.optimism(&a, need, refs); broken != "" {
		return broken
	}
	return r.reclaim(&a, row, checked)
}

func ordered(b estimate.Bytes) bool { return b.Low <= b.Likely && b.Likely <= b.High }

// optimism: what is to be written at the least is.
func (r *reality) optimism(a *ledger.Account, need estimate.Bytes, refs []imageref.Ref) string {
	lows := a.Settled.Low + a.Pending.Low + a.Reserved.Low + need.Low
	var coming []*realImage
	for _, p := range r.pods {
		told := p.known()
		if told == nil || told.Finished || told.Deleting || told.Gated {
			continue
		}
		for i := range told.Images {
			if !told.Images[i].Pulled {
				coming = append(coming, r.wanted(&told.Images[i]))
			}
		}
	}
	for _, ref := range refs {
		coming = append(coming, r.registry[ref])
	}
	written := r.disk.written - r.held.written
	if left := r.disk.costOf(coming); lows > written+left+r.slack() {
		return fmt.Sprintf("%d MiB written since the sample, %d left to write, but settled %d, pending %d, reserved %d, need %d: %v",
			written/mib, left/mib, a.Settled.Low/mib, a.Pending.Low/mib, a.Reserved.Low/mib, need.Low/mib, refs)
	}
	return ""
}

// reclaim: what can be freed is between the bounds.
func (r *reality) reclaim(a *ledger.Account, row *ledger.NodeRow, checked map[string]int) string {
	unused := r.unused((*realPod).known)
	if !r.removeAt.After(r.list.at) && (!row.ListCut() || !r.newest().After(r.list.at)) {
		checked["reclaim low"]++
		if freed := r.disk.freedBy(unused); a.Reclaimable.Low > freed+r.slack() {
			return fmt.Sprintf("%d MiB can be freed, but reclaimable is %+v", freed/mib, a.Reclaimable)
		}
	}
	now := r.listNow()
	if now.images == nil || row.ListCut() || !reflect.DeepEqual(now.images, r.list.images) || r.held.used != r.disk.used()+r.otherBytes {
		return ""
	}
	checked["reclaim high"]++
	if freed := r.disk.freedBy(unused); a.Reclaimable.High < freed-r.slack() {
		return fmt.Sprintf("%d MiB can be freed, but reclaimable is %+v", freed/mib, a.Reclaimable)
	}
	return ""
}

// newest is when the last image was pulled.
func (r *reality) newest() (at time.Time) {
	for _, names := range r.disk.images {
		if names.pulledAt.After(at) {
			at = names.pulledAt
		}
	}
	return at
}
