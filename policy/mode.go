// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is what happens to a pod that is at or past a threshold. Modes are ordered: each does what the one before does, and
// more.
type Mode string

const (
	// Off judges nothing. As the policy's mode it wins over every namespace's wish.
	Off Mode = "Off"
	// Audit only writes audit annotations, reports and metrics.
	Audit Mode = "Audit"
	// Warn also shows warnings to whoever creates the pod.
	Warn Mode = "Warn"
	// Enforce also refuses pods.
	Enforce Mode = "Enforce"
)

// Modes returns every mode, mildest first. The caller owns the slice.
func Modes() []Mode { return []Mode{Off, Audit, Warn, Enforce} }

// StricterThan reports whether m does more than o. A mode that is none of Modes is milder than all of them.
func (m Mode) StricterThan(o Mode) bool { return m.strictness() > o.strictness() }

// AtLeast reports whether m does all that o does.
func (m Mode) AtLeast(o Mode) bool { return m.strictness() >= o.strictness() }

func (m Mode) strictness() int {
	for i, known := range Modes() {
		if m == known {
			return i
		}
	}
	return -1
}

// Overrides is what the label ModeLabel on a namespace may do.
type Overrides string

const (
	// OverridesNone ignores the label.
	OverridesNone Overrides = "None"
	// OverridesTighten follows the label where it asks for a stricter mode than the policy's.
	OverridesTighten Overrides = "Tighten"
	// OverridesAny follows the label wherever it asks for a mode.
	OverridesAny Overrides = "Any"
)

// Steer says whether the binding of a pod to a node that is too full is sent back.
type Steer string

const (
	// SteerOn sends such bindings back.
	SteerOn Steer = "On"
	// SteerOff doesn't.
	SteerOff Steer = "Off"
	// SteerAuto does in mode Enforce.
	SteerAuto Steer = "Auto"
)

// ModeFor returns the mode in force in a namespace whose label ModeLabel has this value, "" for none. Letter case doesn't
// matter in a label: losing the wish for a stricter mode to it would be silent. The mode is always one to use; the error,
// which is for an annotation and not for a user, says why the label was not followed.
func (p *Policy) ModeFor(namespaceLabel string) (Mode, error) {
	if namespaceLabel == "" || p.Mode == Off {
		return p.Mode, nil
	}
	wish, err := modeOfLabel(namespaceLabel)
	switch {
	case err != nil:
		return p.Mode, err
	case wish == p.Mode:
		return p.Mode, nil
	case p.NamespaceOverrides == OverridesAny:
		return wish, nil
	case p.NamespaceOverrides == OverridesTighten && wish.StricterThan(p.Mode):
		return wish, nil
	case p.NamespaceOverrides == OverridesTighten:
		return p.Mode, fmt.Errorf("label %s=%s is not followed: the policy's mode is %s and its namespaceOverrides allow stricter ones only",
			ModeLabel, wish, p.Mode)
	default:
		return p.Mode, fmt.Errorf("label %s=%s is not followed: the policy's namespaceOverrides are %s", ModeLabel, wish, p.NamespaceOverrides)
	}
}

func modeOfLabel(value string) (Mode, error) {
	for _, m := range Modes() {
		if strings.EqualFold(value, string(m)) {
			return m, nil
		}
	}
	return "", fmt.Errorf("label %s=%q is not followed: use one of %s", ModeLabel, shorten(value), alternatives(Modes()))
}

// CheckModeLabel returns what is wrong with a value that is about to be written to the label ModeLabel: one sentence that
// lists the values there are. Whether the policy in force follows a valid one is up to ModeFor.
func CheckModeLabel(value string) error {
	if _, err := modeOfLabel(value); err != nil {
		return fmt.Errorf("label %s=%q is no mode: use one of %s, or remove the label", ModeLabel, shorten(value), alternatives(Modes()))
	}
	return nil
}

// Steers reports whether bindings are judged in a namespace where this mode is in force.
func (p *Policy) Steers(m Mode) bool {
	switch p.Steer {
	case SteerOn:
		return m != Off
	case SteerAuto:
		return m == Enforce
	case SteerOff:
		return false
	default:
		return false
	}
}

// SteersSomewhere reports whether bindings are judged in any namespace, for what their labels may ask for.
func (p *Policy) SteersSomewhere() bool {
	return slices.ContainsFunc(Modes(), func(m Mode) bool {
		inForce, _ := p.ModeFor(string(m))
		return p.Steers(inForce)
	})
}

// alternatives returns "A, B, C" for an error that says what is allowed.
func alternatives[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = string(a)
	}
	return strings.Join(words, ", ")
}

// shorten keeps hostile input from filling an error message.
func shorten(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
