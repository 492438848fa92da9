// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// accuracyPage is the page that TestAccuracy writes.
const accuracyPage = "../../docs/accuracy.md"

const accuracyIntroduction = `# How good the predictions are

Made by ` + "`go test ./test/e2e -run TestAccuracy -update`" + `, which runs each kind of image on a real
kubelet with a real containerd and an ext4 image file system of its own. Nothing is declared: no ` + "`diskFactor`" + `, no sizes.

*Predicted* is the annotation ` + "`need`" + ` that the webhook gave to the pod when it was created. *Measured* is by how much the
available bytes of the file system then shrank, once it was at rest. About 0.2 MiB of it are the pod's own, not its images'.
*Error* is how far the likely value is off, *width* the distance from low to high, both in percent of what was measured; they
say nothing where that is less than 1 MiB.

| what a pod pulls | low | likely | high | measured, MiB | error, % | width, % |
|---|---:|---:|---:|---:|---:|---:|
`

// accuracyRow is what came out for a shape, in bytes.
type accuracyRow struct {
	title     string
	predicted predicted
	measured  int64
}

// line is the row as the page has it.
func (r accuracyRow) line() string {
	off, width := "", ""
	if r.measured >= mib {
		off = fmt.Sprintf("%+.1f", 100*float64(r.predicted.likely-r.measured)/float64(r.measured))
		width = fmt.Sprintf("%.1f", 100*float64(r.predicted.high-r.predicted.low)/float64(r.measured))
	}
	return fmt.Sprintf("| %s | %.1f | %.1f | %.1f | %.1f | %s | %s |\n", r.title,
		mebibytes(r.predicted.low), mebibytes(r.predicted.likely), mebibytes(r.predicted.high), mebibytes(r.measured), off, width)
}

// checkAccuracyPage writes the page, or checks that it has the rows there are now, with
// figures that are as close to those of this run as a prediction has to be.
func checkAccuracyPage(t *testing.T, table []accuracyRow) {
	t.Helper()
	if *update {
		var page strings.Builder
		page.WriteString(accuracyIntroduction)
		for _, row := range table {
			page.WriteString(row.line())
		}
		if err := os.WriteFile(accuracyPage, []byte(page.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	page, err := os.ReadFile(accuracyPage)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(page)
	for _, row := range table {
		title := "| " + row.title + " | "
		_, after, found := strings.Cut(rest, title)
		if !found {
			t.Fatalf("docs/accuracy.md has no row %q, or not in its place: run this test with -update", row.title)
		}
		line, below, _ := strings.Cut(after, "\n")
		likely, measured, err := pageFigures(line)
		if err != nil {
			t.Fatalf("docs/accuracy.md, row %q: %v", row.title, err)
		}
		if !isNear(likely, row.predicted.likely) || !isNear(measured, row.measured) {
			t.Errorf("docs/accuracy.md says of %q likely %s and measured %s, now it is %s and %s: run this test with -update", row.title,
				describeBytes(likely), describeBytes(measured), describeBytes(row.predicted.likely), describeBytes(row.measured))
		}
		rest = below
	}
}

// pageFigures are the likely and the measured bytes of a row, behind its title.
func pageFigures(line string) (likely, measured int64, err error) {
	figures := strings.Split(line, " | ")
	if len(figures) < 4 {
		return 0, 0, fmt.Errorf("%d figures, want low, likely, high and measured", len(figures))
	}
	for column, into := range map[int]*int64{1: &likely, 3: &measured} {
		figure, err := strconv.ParseFloat(figures[column], 64)
		if err != nil {
			return 0, 0, err
		}
		*into = int64(figure * float64(mib))
	}
	return likely, measured, nil
}

// isNear says whether two counts of bytes are as near to each other as a likely value has to be to what is measured.
func isNear(a, b int64) bool {
	return max(a-b, b-a) <= max(b*closePercent/100, closeBytes)
}
