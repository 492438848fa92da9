// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package result

import "fmt"

// State is what became of a target.
type State string

// The states. A target is about medians, but is not said to be met where a round says otherwise.
const (
	Met         State = "met"
	Disputed    State = "met by the median, not by every round"
	NotMet      State = "not met"
	NotMeasured State = "not measured"
)

// Check is a target, or one of the figures that a target is made of.
type Check struct {
	// Target is its name in the issue; What says what is measured, and Unit in what.
	Target, What, Unit string
	// Limit is what the figure must be at most, or, AtLeast, at least.
	Limit   float64
	AtLeast bool
	// Guard is the limit of `make bench-quick`, which is to fail on what can't be noise: nil where that does not look.
	Guard *float64
	// value is the figure; one without rounds was not measured.
	value func(*Results) Figure
}

// Judged is a check with its figure.
type Judged struct {
	Check

	Figure Figure
	State  State
}

// Judge holds results against all targets.
func Judge(r *Results) []Judged {
	var all []Judged
	for _, c := range Checks() {
		f := c.value(r)
		j := Judged{Check: c, Figure: f, State: NotMet}
		switch {
		case f.Rounds == 0:
			j.State = NotMeasured
		case c.within(f.Min, c.Limit) && c.within(f.Max, c.Limit):
			j.State = Met
		case c.within(f.Median, c.Limit):
			j.State = Disputed
		}
		all = append(all, j)
	}
	return all
}

func (c *Check) within(value, limit float64) bool {
	if c.AtLeast {
		return value >= limit
	}
	return value <= limit
}

// Regressions are the guards that are crossed, by every round of it: what is noise is not in all of them.
func Regressions(r *Results) []Judged {
	var crossed []Judged
	for _, j := range Judge(r) {
		if j.Guard == nil || j.Figure.Rounds == 0 {
			continue
		}
		best := j.Figure.Min
		if j.AtLeast {
			best = j.Figure.Max
		}
		if !j.within(best, *j.Guard) {
			crossed = append(crossed, j)
		}
	}
	return crossed
}

// Bound is the limit in words, such as "≤ 0.65x".
func (c *Check) Bound() string { return c.bound(c.Limit) }

// GuardBound is the guard in words, empty for none.
func (c *Check) GuardBound() string {
	if c.Guard == nil {
		return ""
	}
	return c.bound(*c.Guard)
}

func (c *Check) bound(limit float64) string {
	sign := "≤ "
	if c.AtLeast {
		sign = "≥ "
	}
	return sign + number(limit) + c.suffix()
}

// enoughRounds is of how many a median says something.
const enoughRounds = 5

// Measured is the figure in words, with the number of rounds where they are few.
func (j *Judged) Measured() string {
	if j.Figure.Rounds == 0 {
		return "-"
	}
	text := j.Figure.String() + j.suffix()
	switch n := j.Figure.Rounds; {
	case n == 1:
		text += ", 1 round"
	case n < enoughRounds:
		text += fmt.Sprintf(", %d rounds", n)
	}
	return text
}

// suffix is the unit behind a number: "x" stands beside it, others don't.
func (c *Check) suffix() string {
	if c.Unit == "" || c.Unit == "x" || c.Unit == "%" {
		return c.Unit
	}
	return " " + c.Unit
}
