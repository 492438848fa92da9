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

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/ledger"
)

// readAutoscaler returns what a cluster-autoscaler tells of itself. Where that
// may not be read there may be one, as for `headroom serve`, and a note says so.
func readAutoscaler(ctx context.Context, client kubernetes.Interface, notes io.Writer) ledger.Autoscaler {
	status, err := client.CoreV1().ConfigMaps(controller.AutoscalerNamespace).Get(ctx, controller.AutoscalerConfigMap, metav1.GetOptions{})
	switch {
	case err == nil:
		return controller.AutoscalerOf(status)
	case apierrors.IsNotFound(err):
		return ledger.Autoscaler{}
	default:
		fmt.Fprintf(notes, "note: whether there is a cluster-autoscaler can't be read, as if there were one: %v\n", plain(err))
		return ledger.Autoscaler{Present: true}
	}
}
