// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Reason says why a kubelet gave no answer. It is a closed set, fit to be the
// label of a metric.
type Reason string

// The reasons.
const (
	ReasonUnauthorized Reason = "unauthorized" // 401: the credential is not accepted
	ReasonForbidden    Reason = "forbidden"    // 403: a permission is missing
	ReasonTLS          Reason = "tls"          // the serving certificate is not trusted, or no TLS
	ReasonTimeout      Reason = "timeout"      // no answer in time
	ReasonRefused      Reason = "refused"      // nothing listens there, or there is no way to it
	ReasonTooLarge     Reason = "too_large"    // the answer is larger than MaxBodyBytes
	ReasonMalformed    Reason = "malformed"    // the answer is not what a kubelet says
	ReasonNoImageFS    Reason = "no_image_fs"  // the kubelet does not know its image file system
	ReasonOther        Reason = "other"        // anything else
)

// Reasons returns every reason, for metrics that start at zero.
func Reasons() []Reason {
	return []Reason{
		ReasonUnauthorized, ReasonForbidden, ReasonTLS, ReasonTimeout, ReasonRefused,
		ReasonTooLarge, ReasonMalformed, ReasonNoImageFS, ReasonOther,
	}
}

// Error is one failed question to a kubelet. Its text is one sentence that says
// what to do about it.
type Error struct {
	Reason Reason
	// Node is the name of the node that was asked, "" from the parsers.
	Node string

	text  string
	cause error
}

// Error returns the sentence.
func (e *Error) Error() string {
	text := e.text
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	if e.Node == "" {
		return text
	}
	return fmt.Sprintf("node %q: %s", e.Node, text)
}

// Unwrap returns what the network or the decoder said, nil for nothing.
func (e *Error) Unwrap() error { return e.cause }

// ReasonOf returns the reason of an error of this package: ReasonOther for any
// other error, "" for nil.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ReasonOther
}

func failure(reason Reason, cause error, format string, args ...any) *Error {
	return &Error{Reason: reason, text: fmt.Sprintf(format, args...), cause: cause}
}

// transportFailure gives an error of an HTTP round trip its reason and advice.
func transportFailure(err error, where string) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || (ok && timeout.Timeout()) {
		return failure(ReasonTimeout, err, "%s did not answer in time: check the network path to it", where)
	}
	switch {
	case isTLS(err):
		return failure(ReasonTLS, err, "the certificate of %s is not trusted: name the CA that signed it, or switch the check off (insecure)", where)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return failure(ReasonRefused, err, "%s can't be reached: check that the kubelet runs and that no firewall is in between", where)
	default:
		return failure(ReasonOther, err, "%s could not be asked", where)
	}
}

func isTLS(err error) bool {
	return is[*tls.CertificateVerificationError](err) || is[tls.RecordHeaderError](err) || is[tls.AlertError](err) ||
		is[x509.UnknownAuthorityError](err) || is[x509.HostnameError](err) || is[x509.CertificateInvalidError](err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
