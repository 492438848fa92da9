// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// decodeAll is the decoder that readNodePart must agree with: it reads all of a
// body, and is put off by a mistake anywhere.
func decodeAll(body []byte) (nodePart, error) {
	var whole struct {
		Node nodePart `json:"node"`
	}
	if err := json.Unmarshal(body, &whole); err != nil {
		return nodePart{}, failure(ReasonMalformed, err, "")
	}
	return whole.Node, nil
}

// endOfNodePart returns the length of body up to the end of its first node part; all
// of it where there is none.
func endOfNodePart(body []byte) (end int, found bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if found, err := enterNodePart(d); !found || err != nil {
		return len(body), false
	}
	var value json.RawMessage
	if d.Decode(&value) != nil {
		return len(body), false
	}
	return int(d.InputOffset()), true
}

const pods = `"pods":[{"podRef":{"name":"p","node":{}},"containers":[[],{},null,1.5e3,"}"]}]`

func TestTheNodePartIsFoundWhereverItIs(t *testing.T) {
	node := `"node":{` + nodeFS + `,` + imageFS + `}`
	for what, body := range map[string]string{
		"before the pods":    `{` + node + `,` + pods + `}`,
		"after the pods":     `{` + pods + `,` + node + `}`,
		"alone":              `{` + node + `}`,
		"with white space":   " {\n " + strings.ReplaceAll(node, `":`, "\" :\t") + " ,\n" + pods + "\n}\n",
		"in capital letters": `{"NODE":{` + nodeFS + `,` + imageFS + `}}`,
		"among others":       `{"a":null,"b":"node","c":[{"node":{}}],` + node + `,` + pods + `}`,
		// What comes after it is nobody's business.
		"before another":    `{` + node + `,"node":{"runtime":{"imageFs":{"availableBytes":1}}}}`,
		"before nonsense":   `{` + node + `<html>`,
		"before the end":    `{` + node,
		"before half a pod": `{` + node + `,"pods":[{"podRef":{"na`,
	} {
		s, err := ParseSummary([]byte(body), time.Time{})
		if err != nil || s.AvailableBytes != 600 || s.CapacityBytes != 1000 || s.SampledAt.IsZero() {
			t.Errorf("%s: %+v, %v", what, s, err)
		}
	}
}

func TestABodyThatEndsInTheNodePartIsAMistake(t *testing.T) {
	body := `{` + pods + `,"node":{"nodeName":"n1",` + nodeFS + `,` + imageFS + `}`
	for end := range len(body) - 1 {
		if s, err := ParseSummary([]byte(body[:end]), time.Time{}); ReasonOf(err) != ReasonMalformed {
			t.Fatalf("%q: %+v, %v", body[:end], s, err)
		}
	}
	for what, body := range map[string]string{
		"no object":                   `[]`,
		"a string":                    `"node"`,
		"more than one value":         `{"pods":[]}{}`,
		"null and more":               `null {}`,
		"a node that is none":         `{"node":[]}`,
		"a mistake before the node":   `{"pods":[1 2],` + wholeNode[1:],
		"a missing comma":             `{"pods":[]` + wholeNode[1:],
		"a bracket that is not his":   `{"pods":[},` + wholeNode[1:],
		"a name that is no string":    `{1:2,` + wholeNode[1:],
		"a comma at the end":          `{"pods":[],}`,
		"a control character in text": "{\"a\":\"\n\"," + wholeNode[1:],
	} {
		if s, err := ParseSummary([]byte(body), time.Time{}); ReasonOf(err) != ReasonMalformed {
			t.Errorf("%s: %+v, %v", what, s, err)
		}
	}
}

func TestNothingIsReadAfterTheNodePart(t *testing.T) {
	body := `{"node":{"nodeName":"n1",` + nodeFS + `,` + imageFS + `}`
	unread := iotest.ErrReader(errors.New("read on"))
	if _, err := readNodePart(io.MultiReader(iotest.OneByteReader(strings.NewReader(body)), unread)); err != nil {
		t.Error(err)
	}
	if _, err := readNodePart(io.MultiReader(strings.NewReader(body[:len(body)-1]), unread)); err == nil {
		t.Error("the node part was not read to its end")
	}
}

// FuzzNodePart holds the part against the whole: up to the end of the first node
// part, reading on must change nothing.
func FuzzNodePart(f *testing.F) {
	for _, seed := range []string{
		wholeNode, `{` + pods + `,` + wholeNode[1:], `{"Node":{` + nodeFS + `},"node":{` + imageFS + `}}`, `null`, `{}`, `{"node":null}`,
		`{"node":{"fs":{},"FS":{"time":"2026-03-01T12:00:00Z"},"runtime":{"imageFs":null}}}`, `{"a":{"node":{}},"nod\u0065":{` + imageFS + `}}`,
		wholeNode + `x`, wholeNode[:40], `{"node":{}`, `{"pods":[,` + wholeNode[1:], `{"\xff":1,` + wholeNode[1:], `[[[`, ` `,
		`{"\u212Anode":1}`, `{"node" :{"fs":5}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readNodePart(bytes.NewReader(body))
		end, found := endOfNodePart(body)
		needed := body[:end]
		if found {
			needed = append(bytes.Clone(needed), '}')
		}
		want, wantErr := decodeAll(needed)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, but of all that is needed, %q, it is %v", err, needed, wantErr)
		}
		if ReasonOf(err) != ReasonOf(wantErr) {
			t.Fatalf("%v, want %v", err, wantErr)
		}
		date := time.Unix(1772366412, 0)
		stats, statsErr := statsOf(got, date)
		wantStats, wantStatsErr := statsOf(want, date)
		if stats != wantStats || ReasonOf(statsErr) != ReasonOf(wantStatsErr) {
			t.Fatalf("%+v, %v; want %+v, %v", stats, statsErr, wantStats, wantStatsErr)
		}
	})
}
