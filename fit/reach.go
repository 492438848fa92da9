// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fit

// reach is whether pods of an audience could go to new nodes like some of a class, and whether such a node has what they request.
type reach struct{ reachable, covers bool }

// reach returns it by the number of the class.
func (a *audience) reach(f *Fleet) []reach {
	if known := a.reached.Load(); known != nil {
		return *known
	}
	all := make([]reach, len(f.classes))
	v := survey{request: &Request{Placement: a.placement}}
	for i, b := range f.blocks {
		r := &all[b.class]
		for at := range places(a.possible[i]) {
			if r.covers {
				break
			}
			row := f.snapshot.Row(b.ground(at).id)
			if covers := v.covers(&row); !r.reachable || covers {
				twin := v.twinMatches(&row)
				r.reachable, r.covers = r.reachable || twin, twin && covers
			}
		}
	}
	a.reached.Store(&all)
	return all
}
