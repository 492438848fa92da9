// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Outcome is what became of one question. It is a closed set, fit to be the
// label of a metric.
type Outcome string

// The outcomes.
const (
	Resolved       Outcome = "resolved"
	NotFound       Outcome = "not_found"
	DeniedHost     Outcome = "denied_host"     // the host is not on the policy's list
	Unauthorized   Outcome = "unauthorized"    // the registry wants credentials, or others
	RateLimited    Outcome = "rate_limited"    // by our budget or by the registry
	Timeout        Outcome = "timeout"         // no answer in time
	TooLarge       Outcome = "too_large"       // a body above MaxManifestBytes
	Malformed      Outcome = "malformed"       // not a manifest, or not the one asked for
	NoPlatform     Outcome = "no_platform"     // the image is not made for this platform
	BlockedAddress Outcome = "blocked_address" // an address or plain HTTP that nobody listed
	Dropped        Outcome = "dropped"         // the queue was full
	Other          Outcome = "other"
)

// Outcomes returns every outcome, for metrics that start at zero.
func Outcomes() []Outcome {
	return []Outcome{
		Resolved, NotFound, DeniedHost, Unauthorized, RateLimited, Timeout,
		TooLarge, Malformed, NoPlatform, BlockedAddress, Dropped, Other,
	}
}

// Error is why a registry told nothing. Its text is one sentence.
type Error struct {
	Outcome Outcome

	text  string
	cause error
	until time.Time // when asking again may help, zero for the usual time
	// putOff says that the question was not asked, in favour of others.
	putOff bool
}

// Error returns the sentence.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.text
	}
	return e.text + ": " + e.cause.Error()
}

// Unwrap returns what the network or the decoder said, nil for nothing.
func (e *Error) Unwrap() error { return e.cause }

// temporary says that the same question may get another answer soon.
func (e *Error) temporary() bool {
	return e.Outcome == RateLimited || e.Outcome == Timeout || e.Outcome == Other
}

func failure(o Outcome, cause error, format string, args ...any) *Error {
	return &Error{Outcome: o, text: fmt.Sprintf(format, args...), cause: cause}
}

var (
	errTooLarge    = errors.New("the answer is larger than a manifest may be")
	errTooMany     = errors.New("too many redirects")
	errBlocked     = errors.New("an address that is not public and not listed")
	errPlainHTTP   = errors.New("plain HTTP, which only a registry endpoint may speak: list it as HOST=http://")
	errNotManifest = errors.New("neither an image manifest nor an index")
)

// classify gives an error of go-containerregistry its outcome.
func classify(err error, host string) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		return classifyStatus(answer.StatusCode, host)
	}
	cause := err
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		cause = wrapped.Err
	}
	if o := blockedOrTooLarge(err); o != "" {
		return failure(o, cause, "%s was not asked to the end", host)
	}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), isNet && timeout.Timeout():
		return failure(Timeout, nil, "%s did not answer in time", host)
	case isNet, errors.Is(err, context.Canceled):
		return failure(Other, cause, "%s can't be asked", host)
	default:
		return failure(Malformed, cause, "%s gave no usable answer", host)
	}
}

func blockedOrTooLarge(err error) Outcome {
	switch {
	case errors.Is(err, errBlocked), errors.Is(err, errPlainHTTP):
		return BlockedAddress
	case errors.Is(err, errTooLarge):
		return TooLarge
	case errors.Is(err, errTooMany):
		return Malformed
	}
	// The library has a check of its own for addresses that are written out, ahead of ours, without an error of its own.
	text := err.Error()
	if strings.Contains(text, "private or link-local") || strings.Contains(text, "private/link-local") {
		return BlockedAddress
	}
	return ""
}

func classifyStatus(status int, host string) *Error {
	switch status {
	case http.StatusNotFound:
		return failure(NotFound, nil, "%s has no such image", host)
	case http.StatusUnauthorized, http.StatusForbidden:
		return failure(Unauthorized, nil, "%s does not show this image without other credentials (status %d)", host, status)
	case http.StatusTooManyRequests:
		return failure(RateLimited, nil, "%s answers that it was asked too often", host)
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return failure(Timeout, nil, "%s did not answer in time (status %d)", host, status)
	default:
		return failure(Other, nil, "%s answers with status %d", host, status)
	}
}
