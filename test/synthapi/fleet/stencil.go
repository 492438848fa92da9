// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// field is what goes into a hole.
type field uint8

const (
	nameSuffix field = iota // the end of a pod's name
	uid
	version
	nodeName
	nodeIP
	podIP
	hexID // 64 hexadecimal digits, different ones for each hole
	created
	started
	deleted

	fields
)

// holeTexts are what stands in the holes of a stencil: of the width of what goes there, and nowhere else in an object.
var holeTexts = [created]string{
	nameSuffix: "~name",
	uid:        hole("uid", 36),
	version:    hole("version", 10),
	nodeName:   hole("node", len("node-000000")),
	nodeIP:     hole("nodeip", len("127.100.100.100")),
	podIP:      hole("podip", len("10.100.100.100")),
	hexID:      hole("hex", 64),
}

// holeSeconds are the times that stand for times. As all of this century's, they are varints of five bytes.
var holeSeconds = [fields]int64{created: 2_111_222_333, started: 2_111_333_444, deleted: 2_111_444_555}

func hole(name string, width int) string { return "~" + name + strings.Repeat("~", width-len(name)-1) }

// values are what goes into the holes.
type values struct {
	texts   [hexID]string
	hexIDs  func(k int) string // the k-th of the object as it is encoded
	seconds [fields]int64
}

// holes are values by which holes are found.
func holes() values {
	v := values{hexIDs: func(int) string { return holeTexts[hexID] }, seconds: holeSeconds}
	copy(v.texts[:], holeTexts[:])
	return v
}

func (v *values) time(f field) metav1.Time { return metav1.Unix(v.seconds[f], 0) }

// stencil is an encoded object with holes, by their places.
type stencil struct {
	encoded []byte
	at      [fields][]int
}

// newStencil finds the holes in what was encoded with holes() as values.
func newStencil(encoded []byte) stencil {
	s := stencil{encoded: slices.Clip(encoded)}
	for f := range fields {
		pattern := holePattern(f)
		for from := 0; ; {
			i := bytes.Index(encoded[from:], pattern)
			if i < 0 {
				break
			}
			s.at[f] = append(s.at[f], from+i)
			from += i + len(pattern)
		}
	}
	return s
}

func holePattern(f field) []byte {
	if f < created {
		return []byte(holeTexts[f])
	}
	return binary.AppendUvarint(nil, uint64(holeSeconds[f])) //nolint:gosec // a constant above 0
}

// fill writes a text into its holes in b, a copy of the stencil. The text has the width of the hole.
func (s *stencil) fill(b []byte, f field, text []byte) {
	for _, at := range s.at[f] {
		copy(b[at:], text)
	}
}

// fillTime writes a time into its holes in b, a copy of the stencil.
func (s *stencil) fillTime(b []byte, f field, seconds uint32) {
	for _, at := range s.at[f] {
		v := seconds
		for k := range 4 {
			b[at+k] = byte(v) | 0x80
			v >>= 7
		}
		b[at+4] = byte(v)
	}
}
