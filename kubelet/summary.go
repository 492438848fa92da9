// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	statsv1alpha1 "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

// nodePart is what is read of a Summary. The rest, which grows with the number of
// pods to hundreds of kilobytes, comes after it.
type nodePart struct {
	FS      *statsv1alpha1.FsStats `json:"fs"`
	Runtime *struct {
		ImageFS *statsv1alpha1.FsStats `json:"imageFs"`
	} `json:"runtime"`
}

// ParseSummary reads the body of /stats/summary as far as Client.Stats does. date
// is the time of the response by the node's clock (its Date header); the zero Time
// leaves Age 0.
func ParseSummary(body []byte, date time.Time) (Stats, error) {
	part, err := readNodePart(bytes.NewReader(body))
	if err != nil {
		return Stats{}, err
	}
	return statsOf(part, date)
}

// readNodePart reads a Summary up to the end of its first member "node", and not
// on: what comes after it is neither checked nor missed. Kubelets write it before
// "pods" (k8s.io/kubelet/pkg/apis/stats/v1alpha1, Summary), but whatever order the
// members have, the answer is that of a decoder which reads all. As for
// encoding/json, the case of names does not matter. A Summary without a node part
// is read to its end, and is a mistake only if that is malformed.
func readNodePart(r io.Reader) (nodePart, error) {
	var part nodePart
	d := json.NewDecoder(r)
	found, err := enterNodePart(d)
	if found {
		err = d.Decode(&part)
	}
	if err != nil {
		return nodePart{}, failure(ReasonMalformed, err, "the answer is not a kubelet's summary: check the address and port")
	}
	return part, nil
}

var errNoObject = errors.New("it is not a JSON object")

// enterNodePart reads on until the value of "node" is next. It reports false for an
// object without that member, and for null, which decodes into anything.
func enterNodePart(d *json.Decoder) (bool, error) {
	switch opening, err := d.Token(); {
	case err != nil:
		return false, midway(err)
	case opening == nil:
		return false, atEnd(d)
	case opening != json.Delim('{'):
		return false, errNoObject
	}
	for {
		token, err := d.Token()
		if err != nil {
			return false, midway(err)
		}
		name, is := token.(string)
		if !is { // The end of the object: nothing else but a name can be there.
			return false, atEnd(d)
		}
		if strings.EqualFold(name, "node") {
			return true, nil
		}
		if err := skip(d); err != nil {
			return false, midway(err)
		}
	}
}

// skip reads one value and keeps nothing of it: the pods may be many.
func skip(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// atEnd returns an error if anything but white space follows.
func atEnd(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// midway makes an end that comes too early one that says so.
func midway(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
