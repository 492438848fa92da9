// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"net/netip"
	"strconv"
)

// mix is the finalizer of splitmix64: every bit of the result depends on every bit of a and b.
func mix(a, b uint64) uint64 {
	x := a + b*0x9e3779b97f4a7c15 + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// drawn returns a number below n that follows from its arguments.
func drawn(n int, seed uint64, about ...int) int {
	for _, a := range about {
		seed = mix(seed, uint64(a)) //nolint:gosec // any bits will do
	}
	return int(seed % uint64(n)) //nolint:gosec // it is below n
}

// alphabet is what Kubernetes makes the ends of names of.
const alphabet = "bcdfghjklmnpqrstvwxz2456789"

const (
	suffixes = 27 * 27 * 27 * 27 * 27
	// lives is how many pods a place has before a name comes again.
	lives = 16
	// spread and its inverse modulo suffixes scatter places over all suffixes: 27 does not divide it.
	spread, gathered = 7_919_317, 7_508_512
)

// suffixOf is the end of the name of the pod that has a place in one of its lives: no two of them that could be there at a
// time have the same.
func suffixOf(place int, life uint32) (text [5]byte) {
	n := (uint64(place)*lives + uint64(life%lives)) * spread % suffixes //nolint:gosec // places are not below 0
	for i := range text {
		text[i] = alphabet[n%27]
		n /= 27
	}
	return text
}

// placeOf is the place whose pod has had a name with this end.
func placeOf(suffix string) (place int, found bool) {
	var n uint64
	for i := len(suffix) - 1; i >= 0; i-- {
		digit := -1
		for k := range len(alphabet) {
			if alphabet[k] == suffix[i] {
				digit = k
			}
		}
		if digit < 0 {
			return 0, false
		}
		n = n*27 + uint64(digit)
	}
	return int(n * gathered % suffixes / lives), true
}

const hexDigits = "0123456789abcdef"

// putHex fills b with hexadecimal digits.
func putHex(b []byte, seed uint64) {
	for i := range b {
		if i%16 == 0 {
			seed = mix(seed, 1)
		}
		b[i] = hexDigits[seed>>(4*(i%16))&15]
	}
}

// putUID fills b, of 36 bytes, with a UUID of version 4.
func putUID(b []byte, seed uint64) {
	putHex(b, seed)
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	b[14], b[19] = '4', 'a'
}

// putDecimal fills b with n's last decimal digits.
func putDecimal(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// putAddress fills the last three parts of an address of fixed width, each from 100 to 199.
func putAddress(b []byte, n int) {
	last := b[len(b)-len("100.100.100"):]
	for i := 2; i >= 0; i-- {
		putDecimal(last[4*i:4*i+3], uint64(100+n%100))
		n /= 100
	}
}

// nodeNameOf is the name of the i-th node.
func nodeNameOf(i int) []byte {
	name := []byte("node-000000")
	putDecimal(name[len("node-"):], uint64(i)) //nolint:gosec // not below 0
	return name
}

// NodeIndex is the index that a node's name has.
func NodeIndex(name string) (i int, valid bool) {
	if len(name) != len("node-000000") || name[:len("node-")] != "node-" {
		return 0, false
	}
	i, err := strconv.Atoi(name[len("node-"):])
	return i, err == nil && i >= 0
}

// NodeAddress is the address of the i-th node, of 127.0.0.0/8: all of that is this machine.
func NodeAddress(i int) string { return string(nodeAddress(i)) }

func nodeAddress(i int) []byte {
	address := []byte("127.100.100.100")
	putAddress(address, i)
	return address
}

// NodeOfAddress is the index of the node that has an address.
func NodeOfAddress(address netip.Addr) (i int, valid bool) {
	address = address.Unmap()
	if !address.Is4() {
		return 0, false
	}
	parts := address.As4()
	for _, part := range parts[1:] {
		if part < 100 || part > 199 {
			return 0, false
		}
		i = i*100 + int(part) - 100
	}
	return i, parts[0] == 127
}

func podAddress(place int) []byte {
	address := []byte("10.100.100.100")
	putAddress(address, place)
	return address
}
