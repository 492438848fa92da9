// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"fmt"
	"io"
	"net/http"
)

// answered sends a request and returns the body of an answer in the 200s.
func answered(request *http.Request) ([]byte, error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %s", request.Method, request.URL, response.Status, body)
	}
	return body, nil
}
