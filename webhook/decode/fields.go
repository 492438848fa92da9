// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package decode

// fields are the fields of an object, by their names in JSON.
type fields struct {
	all map[string]*field
	// slots hold the same, each at the hash of its name or in the next slot that was free: two thirds of the time that a look
	// into the map takes.
	slots []*field
}

func hash(name []byte) int {
	n := len(name)
	if n == 0 {
		return 0
	}
	return n + 7*int(name[0]) + 31*int(name[n/2]) + 127*int(name[n-1])
}

func (f *fields) add(named *field) {
	if f.all == nil {
		f.all = make(map[string]*field)
	}
	f.all[named.name] = named
}

// seal makes the slots, of which at least half stay free.
func (f *fields) seal() {
	size := 4
	for size < 2*len(f.all) {
		size *= 2
	}
	f.slots = make([]*field, size)
	for _, named := range f.all {
		i := hash([]byte(named.name)) & (size - 1)
		for f.slots[i] != nil {
			i = (i + 1) & (size - 1)
		}
		f.slots[i] = named
	}
}

// find returns the field of a name, nil for none.
func (f *fields) find(name []byte) *field {
	mask := len(f.slots) - 1
	for i := hash(name) & mask; f.slots[i] != nil; i = (i + 1) & mask {
		if f.slots[i].name == string(name) {
			return f.slots[i]
		}
	}
	return nil
}
