// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package estimate

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArithmetic(t *testing.T) {
	const most, least = math.MaxInt64, math.MinInt64
	tests := map[string]struct{ got, want Bytes }{
		"between puts bounds in order":                {Between(5, 9, 1), Bytes{1, 9, 9}},
		"between keeps order":                         {Between(1, 2, 3), Bytes{1, 2, 3}},
		"unbounded has no upper bound":                {Unbounded(1, 2), Bytes{1, 2, most}},
		"plus adds each bound":                        {Between(1, 2, 3).Plus(Between(10, 20, 30)), Bytes{11, 22, 33}},
		"minus takes the opposite bound":              {Between(10, 20, 30).Minus(Between(1, 2, 3)), Bytes{7, 18, 29}},
		"minus of the same is not exact":              {Between(1, 2, 3).Minus(Between(1, 2, 3)), Bytes{-2, 0, 2}},
		"plus saturates":                              {Exactly(most).Plus(Exactly(1)), Bytes{most, most, most}},
		"minus saturates":                             {Exactly(-2).Minus(Exactly(most)), Exactly(least)},
		"what is unbounded stays so when less":        {Unbounded(1, 2).Minus(Exactly(1)), Bytes{0, 1, most}},
		"what is unbounded stays so when added to":    {Unbounded(1, 2).Plus(Exactly(-5)), Bytes{-4, -3, most}},
		"unbounded taken away leaves no lower bound":  {Exactly(10).Minus(Unbounded(1, 2)), Bytes{least, 8, 9}},
		"no lower bound stays so":                     {Exactly(10).Minus(Unbounded(1, 2)).Plus(Exactly(100)), Bytes{least, 108, 109}},
		"at least zero clamps each bound":             {Between(-3, -1, 2).AtLeastZero(), Bytes{0, 0, 2}},
		"with low lowers":                             {Between(5, 6, 7).WithLow(0), Bytes{0, 6, 7}},
		"with low raises what is below":               {Between(5, 6, 7).WithLow(9), Bytes{9, 9, 9}},
		"hull holds both and keeps the first's guess": {Between(5, 6, 7).Hull(Between(1, 2, 9)), Bytes{1, 6, 9}},
		"sum of nothing":                              {Sum(), Bytes{}},
		"sum":                                         {Sum(Exactly(1), Between(1, 2, 3), Exactly(4)), Bytes{6, 7, 8}},
		"a literal out of order is put in order":      {Bytes{3, 2, 1}.Plus(Bytes{}), Bytes{1, 2, 3}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	const most, least = math.MaxInt64, math.MinInt64
	one := Factor{1, 1, 1}
	tests := map[string]struct {
		b    Bytes
		f    Factor
		want Bytes
	}{
		"each bound by its own":                       {Between(10, 20, 30), Factor{1, 2, 3}, Bytes{10, 40, 90}},
		"low down, likely to nearest, high up":        {Exactly(10), Factor{0.25, 0.25, 0.25}, Bytes{2, 3, 3}},
		"halves away from zero":                       {Exactly(-10), Factor{0.25, 0.25, 0.25}, Bytes{-3, -3, -2}},
		"negative bounds take the factor's other end": {Between(-10, -5, 4), Factor{1, 2, 3}, Bytes{-30, -10, 12}},
		"one changes nothing, however large":          {Bytes{least + 1, 7, most - 1}, one, Bytes{least + 1, 7, most - 1}},
		"saturates":                                   {Exactly(most - 5), Factor{2, 3, 4}, Exactly(most)},
		"saturates with a huge factor":                {Exactly(-1), Factor{1e300, 1e300, 1e308}, Exactly(least)},
		"a tiny factor is not nothing at the top":     {Exactly(most), Factor{1e-300, 1e-300, 1e-300}, Bytes{0, 0, most}},
		"zero":                                {Between(5, 6, 7), Factor{}, Bytes{}},
		"unbounded stays so":                  {Unbounded(4, 8), Factor{0.5, 0.5, 0.5}, Bytes{2, 4, most}},
		"NaN says nothing":                    {Between(5, 6, 7), Factor{math.NaN(), 1, 1}, Bytes{0, 6, most}},
		"negative says nothing":               {Between(5, 6, 7), Factor{-1, 1, 1}, Bytes{0, 6, most}},
		"infinite says nothing":               {Between(5, 6, 7), Factor{1, 1, math.Inf(1)}, Bytes{0, 6, most}},
		"out of order says nothing":           {Between(-5, 6, 7), Factor{3, 2, 1}, Bytes{least, 6, most}},
		"nothing about a debt says it is one": {Between(-7, -6, -5), Factor{3, 2, 1}, Bytes{least, -6, 0}},
		"nothing about zero is zero":          {Bytes{}, Factor{3, 2, 1}, Bytes{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.b.Times(tt.f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	const ki, mi, gi = 1 << 10, 1 << 20, 1 << 30
	tests := map[int64]string{
		0:                  "0",
		7:                  "7",
		99:                 "99",
		514:                "510",
		999:                "1000",
		1023:               "1000",
		ki:                 "1Ki",
		12 * ki:            "12Ki",
		850 * mi:           "850Mi",
		846 * mi:           "850Mi",
		gi - 1:             "1000Mi",
		gi:                 "1Gi",
		3*gi + gi/10:       "3.1Gi",
		3*gi + gi/8:        "3.1Gi",
		9*gi + gi*9/10:     "9.9Gi",
		9*gi + gi*98/100:   "10Gi",
		10 * gi:            "10Gi",
		10*gi + gi/3:       "10Gi",
		99*gi + gi*6/10:    "100Gi",
		-2*gi - gi*4/10:    "-2.4Gi",
		2 * gi * ki:        "2Ti",
		math.MaxInt64:      "8Ei",
		math.MinInt64:      "-8Ei",
		-1:                 "-1",
		1536:               "1.5Ki",
		263_000_000:        "250Mi",
		40_000_000_000_000: "36Ti",
	}
	for n, want := range tests {
		if got := Format(n); got != want {
			t.Errorf("Format(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestString(t *testing.T) {
	tests := map[string]struct {
		b    Bytes
		want string
	}{
		"exact":       {Exactly(10 << 30), "10Gi"},
		"an interval": {Between(9<<30, 10<<30, 11<<30), "~10Gi"},
		"unbounded":   {Unbounded(0, 10<<30), "~10Gi"},
		"zero":        {Bytes{}, "0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.b.String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	got, err := json.Marshal(map[string]any{"bytes": Between(1, 2, 3), "factor": Factor{1, 2.5, 3}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"bytes":{"low":1,"likely":2,"high":3},"factor":{"low":1,"likely":2.5,"high":3}}`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestExactAndZero(t *testing.T) {
	if !Exactly(3).IsExact() || Between(1, 2, 3).IsExact() || Unbounded(0, 0).IsExact() {
		t.Error("IsExact is wrong")
	}
	if !Exactly(0).IsZero() || Exactly(1).IsZero() || Unbounded(0, 0).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func BenchmarkTimes(b *testing.B) {
	size, factor := Between(1<<30, 2<<30, 3<<30), Factor{2, 3.5, 4.5}
	for b.Loop() {
		size.Times(factor)
	}
}
