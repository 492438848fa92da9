// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// text reads any scalar by its text.
func (d *decoder) text(at place) (string, bool) {
	switch at.node.Kind {
	case yaml.ScalarNode:
		return at.node.Value, true
	case yaml.AliasNode:
		d.invalid(at, "must be written out: aliases are not supported")
	case yaml.DocumentNode, yaml.SequenceNode, yaml.MappingNode:
		d.invalid(at, "must be a single value")
	default:
		d.invalid(at, "must be a single value")
	}
	return "", false
}

// oneOf reads one of the words that are allowed; into keeps its value on any other.
func oneOf[T ~string](d *decoder, at place, into *T, allowed []T) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	if !slices.Contains(allowed, T(text)) {
		d.mistake(at, field.NotSupported(at.path, shorten(text), allowed))
		return
	}
	*into = T(text)
}

func (d *decoder) boolean(at place, into *bool) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	switch strings.ToLower(text) {
	case "true":
		*into = true
	case "false":
		*into = false
	default:
		d.mistake(at, field.NotSupported(at.path, shorten(text), []string{"true", "false"}))
	}
}

// size reads a quantity of bytes that is at least one byte and that an int64 holds, which Quantity.Value doesn't check.
// Fractions of a byte are rounded up.
func (d *decoder) size(at place, into *int64) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	quantity, err := parseQuantity(text)
	switch {
	case err != nil:
		d.invalid(at, "must be a number of bytes such as 40Gi")
	case quantity.Sign() <= 0:
		d.invalid(at, "must be more than 0 bytes")
	case quantity.Cmp(*resource.NewQuantity(1, resource.BinarySI)) < 0:
		d.invalid(at, "must be at least one byte: m means thousandths, use M or Mi")
	case quantity.Cmp(*resource.NewQuantity(math.MaxInt64, resource.BinarySI)) > 0:
		d.invalid(at, "must be less than 8Ei")
	default:
		*into = quantity.Value()
	}
}

// parseQuantity keeps exponents away from resource.ParseQuantity that would make it calculate for minutes.
func parseQuantity(text string) (resource.Quantity, error) {
	const longest, longestExponent = 40, 2
	exponent := strings.IndexAny(text, "eE")
	if len(text) > longest || exponent >= 0 && len(strings.TrimLeft(text[exponent+1:], "+-")) > longestExponent {
		return resource.Quantity{}, resource.ErrFormatWrong
	}
	return resource.ParseQuantity(text)
}

// duration reads a duration of at least shortest.
func (d *decoder) duration(at place, into *time.Duration, shortest time.Duration) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	value, err := time.ParseDuration(text)
	switch {
	case err != nil:
		d.invalid(at, "must be a duration such as 90s or 5m")
	case value < shortest:
		d.invalid(at, fmt.Sprintf("must be at least %s", shortest))
	default:
		*into = value
	}
}

// percent reads "N%" with 0 <= N < 100.
func (d *decoder) percent(at place, into *float64) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	digits, hasSign := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(digits, 64)
	if err != nil || !hasSign || !(0 <= value && value < 100) {
		d.invalid(at, "must be a percentage of at least 0% and less than 100%, such as 5%")
		return
	}
	*into = value
}

// number reads a finite number of at least 0 and at most most.
func (d *decoder) number(at place, into *float64, most float64) {
	text, ok := d.text(at)
	if !ok {
		return
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(value) || value < 0 || value > most {
		d.invalid(at, fmt.Sprintf("must be a number of at least 0 and at most %g", most))
		return
	}
	*into = value
}

// words reads a list of different texts that check accepts; its answer says what is wrong, "" for nothing.
func (d *decoder) words(at place, check func(word string) string) []string {
	seen := map[string]bool{}
	return readList(d, at, func(at place) (string, bool) {
		word, ok := d.text(at)
		if !ok {
			return "", false
		}
		if wrong := check(word); wrong != "" {
			d.invalid(at, wrong)
			return "", false
		}
		if seen[word] {
			d.mistake(at, field.Duplicate(at.path, shorten(word)))
			return "", false
		}
		seen[word] = true
		return word, true
	})
}
