// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/ledger"
)

// readPulled writes into l what kubelets' events tell of images that no node lists. A note says where that could not be read, or
// not all of it.
func readPulled(ctx context.Context, client kubernetes.Interface, l *ledger.Ledger, notes io.Writer) {
	limited, cancel := context.WithTimeout(ctx, oneShotWait)
	defer cancel()
	switch err := controller.NewPulledSizes(client, l).List(limited); {
	case err == nil:
	case limited.Err() != nil && ctx.Err() == nil:
		fmt.Fprintf(notes, "note: not all events of kubelets about pulls were read in %v\n", oneShotWait)
	default:
		fmt.Fprintf(notes, "note: what events of kubelets tell about pulls can't be read: %v\n", plain(err))
	}
}
