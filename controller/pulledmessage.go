// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strconv"
	"strings"
)

const (
	// maxPulledMessage is longer than what the kubelet writes: the API server keeps 1 KiB of an event's message.
	maxPulledMessage = 4096
	// maxPulledBytes is larger than any image.
	maxPulledBytes = 1 << 50
)

// parsePulled returns the image's name and its size in the unit of the runtime from the message of a kubelet's event
// (k8s.io/kubernetes/pkg/kubelet/images/image_manager.go):
//
//	Successfully pulled image "nginx:1" in 1.5s (2s including waiting). Image size: 70500000 bytes.
//
// Of many alike, the event recorder changes the beginning (k8s.io/client-go/tools/record/events_cache.go). Old kubelets
// don't tell the size; an image that was on the node has another message.
func parsePulled(message string) (name string, bytes int64, found bool) {
	if len(message) > maxPulledMessage {
		return "", 0, false
	}
	rest := strings.TrimPrefix(message, "(combined from similar events): ")
	if rest, found = strings.CutPrefix(rest, "Successfully pulled image "); !found || !strings.HasPrefix(rest, `"`) {
		return "", 0, false
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", 0, false
	}
	if name, err = strconv.Unquote(quoted); err != nil || name == "" {
		return "", 0, false
	}
	_, rest, found = strings.Cut(rest[len(quoted):], ". Image size: ")
	if !found {
		return "", 0, false
	}
	digits, found := strings.CutSuffix(rest, " bytes.")
	if !found || strings.Trim(digits, "0123456789") != "" {
		return "", 0, false
	}
	bytes, err = strconv.ParseInt(digits, 10, 64)
	if err != nil || bytes <= 0 || bytes > maxPulledBytes {
		return "", 0, false
	}
	return name, bytes, true
}
