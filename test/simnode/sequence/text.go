// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package sequence

import "encoding/json"

// String is the step as its file has it.
func (s Step) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
