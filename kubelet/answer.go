// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"errors"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// errTooLarge ends a body that is larger than what is read of one.
var errTooLarge = errors.New("too large")

// answer is what a kubelet says, while it is saying it.
type answer struct {
	// date is the node's time when it began; zero where it does not tell.
	date time.Time

	from io.Reader
	left int64 // how many bytes may still be read
	// fault is what ended the body before its time, nil for its end.
	fault error
}

// Read reads the body. It fails with errTooLarge where that is longer than allowed.
func (a *answer) Read(p []byte) (int, error) {
	if a.left < 0 {
		a.fault = errTooLarge
		return 0, a.fault
	}
	// One more than is allowed tells a body of just that length from a longer one.
	if int64(len(p)) > a.left+1 {
		p = p[:a.left+1]
	}
	n, err := a.from.Read(p)
	a.left -= int64(n)
	if a.left < 0 {
		n--
		err = errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		a.fault = err
	}
	return n, err
}

// DefaultSpareBandwidth is how many bytes a second are read of answers after the part
// that is needed. A kubelet whose client hangs up before that logs "Error writing
// response", for each time it is asked (pkg/kubelet/server/stats/handler.go,
// writeResponse): as long as a cluster is small it costs little to hear it out.
// With thousands of nodes it would be hundreds of megabytes a second.
const DefaultSpareBandwidth = 2 << 20

// Bounds of one remainder: a kubelet that talks for ever, or slowly, is not heard out.
const (
	maxRemainder     = 8 << 20
	maxRemainderTime = time.Second
)

// remainder reads what is left of answers, as far as the bandwidth for that goes.
type remainder struct {
	bandwidth *rate.Limiter
	most      int64
	longest   time.Duration
	now       func() time.Time
}

func newRemainder(bytesPerSecond int) *remainder {
	return &remainder{
		bandwidth: rate.NewLimiter(rate.Limit(bytesPerSecond), bytesPerSecond),
		most:      maxRemainder, longest: maxRemainderTime,
		now: time.Now, //nolint:forbidigo // A clock has to start somewhere; tests bend time itself.
	}
}

// always lets every body be read to its end, for so long at most.
func (r *remainder) always(longest time.Duration) {
	r.bandwidth.SetLimit(rate.Inf)
	r.longest = longest
}

// read reads a body to its end if there is bandwidth to spare; cancel ends the body.
// How much it takes is known only afterwards, so that the account may be overdrawn:
// then nothing is read until the debt is paid.
func (r *remainder) read(body io.Reader, cancel func()) {
	if r.bandwidth.TokensAt(r.now()) <= 0 {
		return
	}
	defer time.AfterFunc(r.longest, cancel).Stop()
	piece := make([]byte, min(16<<10, r.bandwidth.Burst()))
	for total := int64(0); total < r.most; {
		n, err := body.Read(piece)
		r.bandwidth.ReserveN(r.now(), n)
		total += int64(n)
		if err != nil {
			return
		}
	}
}
