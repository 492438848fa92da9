// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/policy"
)

// readModeLabels returns what namespaces ask for by the label headroom.dev/mode,
// where the policy follows it at all. One that is not there yet has no label; of
// one that may not be read a note is written.
func readModeLabels(ctx context.Context, client kubernetes.Interface, p *policy.Policy, namespaces []string, notes io.Writer) map[string]string {
	modes := map[string]string{}
	if p.Mode == policy.Off || p.NamespaceOverrides == policy.OverridesNone {
		return modes
	}
	for _, name := range namespaces {
		if _, read := modes[name]; read {
			continue
		}
		namespace, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case err == nil:
			modes[name] = namespace.Labels[policy.ModeLabel]
		case apierrors.IsNotFound(err):
			modes[name] = ""
		default:
			modes[name] = ""
			fmt.Fprintf(notes, "note: the label %s of namespace %s can't be read, the policy's mode is used: %v\n", policy.ModeLabel, name, plain(err))
		}
	}
	return modes
}
