// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"encoding/binary"
	"math/bits"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// Tags of the fields that are written here, each of bytes: of runtime.Unknown, metav1.WatchEvent, runtime.RawExtension and of
// every list. A test holds them against the serializers of apimachinery.
const (
	unknownRaw   = 2<<3 | 2
	eventType    = 1<<3 | 2
	eventObject  = 2<<3 | 2
	extensionRaw = 1<<3 | 2
	listMeta     = 1<<3 | 2
	listItems    = 2<<3 | 2
)

// envelope is what is around an object in protobuf: the magic number, what it is, and two fields that are empty.
type envelope struct{ head, tail []byte }

func newEnvelope(apiVersion, kind string) envelope {
	unknown := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: kind}}
	encoded, err := unknown.Marshal()
	if err != nil {
		panic(err) // it never fails
	}
	const tail = 4 // two fields of one byte's tag and a length of 0
	at := len(encoded) - tail
	return envelope{append([]byte("k8s\x00"), encoded[:at]...), encoded[at:]}
}

// size is that of an object of n bytes with its envelope.
func (e *envelope) size(n int) int { return len(e.head) + fieldSize(n) + len(e.tail) }

// begin adds what comes before an object of n bytes; the tail comes after it.
func (e *envelope) begin(b []byte, n int) []byte {
	return beginField(append(b, e.head...), unknownRaw, n)
}

// fieldSize is that of a field with n bytes.
func fieldSize(n int) int { return 1 + max(1, (bits.Len(uint(n))+6)/7) + n }

// beginField adds what comes before the n bytes of a field.
func beginField(b []byte, tag byte, n int) []byte {
	return binary.AppendUvarint(append(b, tag), uint64(n)) //nolint:gosec // not below 0
}

// wire writes the objects of one resource in protobuf.
type wire struct{ object, list envelope }

func newWire(r *resource) wire {
	version := r.apiVersion()
	return wire{newEnvelope(version, r.kind), newEnvelope(version, r.kind+"List")}
}

// size is that of an object without an envelope.
func (c *collection) size(i *item) int {
	if i.index < 0 {
		return len(i.own.object)
	}
	return c.generated.Size(i.index, i.state)
}

// appendObject adds an object without an envelope.
func (c *collection) appendObject(b []byte, i *item) []byte {
	if i.index < 0 {
		return append(b, i.own.object...)
	}
	return c.generated.Append(b, i.index, i.state)
}

// appendWhole adds an object in its envelope.
func (c *collection) appendWhole(b []byte, i *item) []byte {
	b = c.appendObject(c.wire.object.begin(b, c.size(i)), i)
	return append(b, c.wire.object.tail...)
}

// appendFrame adds a watch event about an object as one frame of a stream.
func (c *collection) appendFrame(b []byte, kind watch.EventType, i *item) []byte {
	size := c.size(i)
	b = beginFrame(b, kind, c.wire.object.size(size))
	b = c.appendObject(c.wire.object.begin(b, size), i)
	return append(b, c.wire.object.tail...)
}

// beginFrame adds what comes before the n bytes of an event's object: its length (a frame of apimachinery's
// protobuf.LengthDelimitedFramer), its type and the fields' tags.
func beginFrame(b []byte, kind watch.EventType, n int) []byte {
	total := fieldSize(len(kind)) + fieldSize(fieldSize(n))
	b = binary.BigEndian.AppendUint32(b, uint32(total)) //nolint:gosec // an object has less than 4 GB
	b = append(beginField(b, eventType, len(kind)), kind...)
	return beginField(beginField(b, eventObject, fieldSize(n)), extensionRaw, n)
}

// appendMarshalledFrame adds an event whose object is none of the collection's, such as a Status or a bookmark.
func appendMarshalledFrame(b []byte, kind watch.EventType, e envelope, object interface{ Marshal() ([]byte, error) }) []byte {
	encoded, err := object.Marshal()
	if err != nil {
		panic(err) // objects without raw extensions always can
	}
	b = beginFrame(b, kind, e.size(len(encoded)))
	b = append(e.begin(b, len(encoded)), encoded...)
	return append(b, e.tail...)
}

var statusEnvelope = newEnvelope("v1", "Status")

// listHead is a list's own metadata as its first field.
func listHead(meta *metav1.ListMeta) []byte {
	encoded, err := meta.Marshal()
	if err != nil {
		panic(err) // it never fails
	}
	return append(beginField(nil, listMeta, len(encoded)), encoded...)
}
