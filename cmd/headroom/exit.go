// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "errors"

// Exit codes of every subcommand.
const (
	exitOK        = 0
	exitOverloads = 1 // check: something is at or past denyAt
	exitFailed    = 2 // it could not run, or not all of it
)

// exitError carries an exit code; one without a message prints nothing more.
type exitError struct {
	code    int
	message string
}

func (e *exitError) Error() string { return e.message }

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitFailed
}

func isSilent(err error) bool {
	e, ok := errors.AsType[*exitError](err)
	return ok && e.message == ""
}
